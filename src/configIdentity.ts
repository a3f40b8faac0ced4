/** The settings of the front door: how the API listens, whose tokens and certificates open it, and what they mean. */
import { choice, integer, items, path, secret, section, text, type Values } from './settings.ts';

const HTTPS = /^https:\/\/[!-~]+$/;

export const apiSection = section({
  tls: section({
    certificate: secret({
      help: 'The certificate of the API, in PEM, and those that it hangs on; plain HTTP without it',
    }),
    key: secret({ help: 'Its key, in PEM' }),
    client_ca: secret({ help: 'Authorities, in PEM, that sign client certificates, directly' }),
  }),
});

export const identitySection = section({
  audience: text({ help: 'The `aud` that tokens must carry; the name of the domain when absent' }),
  issuers: items('Whose tokens are accepted', {
    issuer: text({ required: true, help: 'The exact `iss`' }),
    algorithm: choice(['ES256', 'RS256'], {
      fallback: 'ES256',
      help: 'The only algorithm accepted from it',
    }),
    profile: choice(['oidc', 'wlcg', 'scitokens'], {
      fallback: 'oidc',
      help: 'oidc: roles, projects and groups may stand in the token; wlcg, scitokens: only what that profile defines is looked at',
    }),
    audience: text({ help: 'Its own `aud` for us, when it is another' }),
    jwks_file: path({ help: 'Its public keys (RFC 7517); without it they are fetched' }),
    jwks_uri: text(
      { help: 'Where its keys are; asked of the issuer (OpenID Connect Discovery) when absent' },
      HTTPS,
      'an https URL',
    ),
    strong_acr: text({
      fallback: 'https://refeds.org/profile/mfa phr phrh',
      help: 'Values of `acr` that stand for several factors: assurance 2',
    }),
  }),
  issuers_ca: secret({ help: 'Authorities, in PEM, of issuers that the system does not trust by itself' }),
  mappings: items('What groups, scopes and subjects of tokens are worth here', {
    issuer: text({ help: 'Of this issuer only' }),
    claim: choice(['group', 'scope', 'subject'], { required: true, help: 'What of a token is looked at' }),
    value: text({ required: true, help: 'A group (and those below it), a scope or a subject' }),
    role: choice(['none', 'user', 'operator'], { fallback: 'none', help: 'The role that it gives' }),
    project: text({ help: 'The project that it gives' }),
    group: text({ help: 'The group that it gives, as policies know it' }),
  }),
  certificates: items('Client certificates that are accepted, each by one of fingerprint, san and subject', {
    name: text({ required: true, help: 'Who it is, for records' }),
    fingerprint: text(
      { help: 'SHA-256, in hexadecimal: pinned, whoever signed it' },
      /^([0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}$/,
      'a SHA-256 fingerprint',
    ),
    san: text({ help: 'One subjectAltName: `email:...`, `URI:...`, `DNS:...`' }),
    subject: text({ help: 'The whole subject: `C=NL, O=Example, CN=alice`' }),
    roles: text({ fallback: 'user', help: 'user, operator, or both' }),
    projects: text({ help: 'Projects that it belongs to' }),
    groups: text({ help: 'Groups that it belongs to, as policies know them' }),
    assurance: integer({ fallback: 1, help: '2 when the key is in hardware' }, 1, 2),
  }),
  development_dir: path({
    help: 'A folder in which a development issuer keeps its keys, and a token for each of three people. Never in production: it mints operators',
  }),
});

interface FrontDoor {
  readonly api: Values<(typeof apiSection)['fields']>;
  readonly identity: Values<(typeof identitySection)['fields']>;
}

/** What is right by itself and wrong together. */
export function frontDoorFaults({ api, identity }: FrontDoor): string[] {
  const found: string[] = [];
  const say = (text: string): void => void found.push(`configuration: ${text}`);
  const { certificate, key, client_ca } = api.tls;
  if ((certificate === undefined) !== (key === undefined))
    say('`api.tls.certificate_file` and `api.tls.key_file` go together');
  if (identity.certificates.length > 0 && certificate === undefined)
    say('`identity.certificates` needs `api.tls.certificate_file`: without TLS nobody shows one');
  const names = new Set<string>();
  for (const { issuer, jwks_file } of identity.issuers) {
    if (names.has(issuer)) say(`the issuer \`${issuer}\` is listed twice`);
    names.add(issuer);
    if (jwks_file === undefined && !HTTPS.test(issuer))
      say(`the keys of the issuer \`${issuer}\` can be fetched over https only: name its \`jwks_file\``);
  }
  for (const { name, fingerprint, san, subject } of identity.certificates) {
    if ([fingerprint, san, subject].filter((by) => by !== undefined).length !== 1)
      say(`the certificate of \`${name}\` is known by one of \`fingerprint\`, \`san\` and \`subject\``);
    else if (fingerprint === undefined && client_ca === undefined)
      say(`the certificate of \`${name}\` needs \`api.tls.client_ca_file\`, or its \`fingerprint\``);
  }
  if (
    identity.issuers.length === 0 &&
    identity.certificates.length === 0 &&
    identity.development_dir === undefined
  )
    say(
      'nobody could log in: name an issuer in `identity.issuers`, or `identity.development_dir` to try things out',
    );
  return found;
}
