/** Who may come in: issuers and certificates as the configuration lists them, put together into one door. */
import type { Config } from './config.ts';
import { StartError } from './flags.ts';
import type { Authenticate } from './http/server.ts';
import { type CertificateRule, certificateAuthenticator, readAuthorities } from './identity/certificates.ts';
import { type DevelopmentIssuer, developmentIssuer } from './identity/dev.ts';
import { issuerAgent, jsonFetcher } from './identity/fetch.ts';
import { bearerAuthenticator, type Issuer } from './identity/issuers.ts';
import { fixedKeys, importKeys, RemoteKeys, readKeys } from './identity/keys.ts';
import type { Mapping } from './identity/profile.ts';
import type { Clock } from './kernel/clock.ts';
import { BrokerError } from './kernel/errors.ts';
import type { Log } from './kernel/log.ts';

export interface Identities {
  readonly authenticate: Authenticate;
  readonly development?: DevelopmentIssuer;
  stop(): Promise<void>;
}

const list = (text: string | undefined): string[] =>
  (text ?? '').split(/[\s,]+/).filter((word) => word !== '');

type IssuerConfig = Config['identity']['issuers'][number];

/** Where the keys of an issuer come from: its file, read now, or its addresses, asked when needed. */
async function keysOf(
  { issuer, algorithm, jwks_file, jwks_uri }: IssuerConfig,
  remote: (options: ConstructorParameters<typeof RemoteKeys>[0]) => Issuer['keys'],
): Promise<Issuer['keys']> {
  if (jwks_file === undefined)
    return remote({ issuer, algorithm, ...(jwks_uri === undefined ? {} : { jwksUri: jwks_uri }) });
  try {
    return fixedKeys(await importKeys(await readKeys(jwks_file), algorithm, issuer));
  } catch (error) {
    throw new StartError(`the issuer ${issuer}: ${(error as Error).message}`);
  }
}

function issuerFrom({ identity, domain }: Config, of: IssuerConfig, keys: Issuer['keys']): Issuer {
  return {
    issuer: of.issuer,
    audience: of.audience ?? identity.audience ?? domain,
    algorithm: of.algorithm,
    keys,
    profile: of.profile,
    strongAcr: list(of.strong_acr),
    mappings: identity.mappings.map(mappingFrom),
  };
}

function mappingFrom(of: Config['identity']['mappings'][number]): Mapping {
  const { issuer, claim, value, role, project, group } = of;
  return {
    claim,
    value,
    ...(issuer === undefined ? {} : { issuer }),
    ...(role === 'none' ? {} : { role }),
    ...(project === undefined ? {} : { project }),
    ...(group === undefined ? {} : { group }),
  };
}

/** Reads every key set that is in a file; makes nothing and asks nobody, so that `config check` may, too. */
export async function checkKeySets(config: Config): Promise<void> {
  for (const of of config.identity.issuers) await keysOf(of, () => ({ find: () => undefined }));
  authoritiesOf(config);
}

function authoritiesOf({ api }: Config): ReturnType<typeof readAuthorities> {
  const { client_ca } = api.tls;
  try {
    return client_ca === undefined ? [] : readAuthorities(client_ca);
  } catch (error) {
    throw new StartError(`\`api.tls.client_ca_file\`: ${(error as Error).message}`);
  }
}

const certificatesOf = (config: Config, clock: Clock): ReturnType<typeof certificateAuthenticator> =>
  certificateAuthenticator(config.identity.certificates.map(ruleFrom), authoritiesOf(config), clock);

function ruleFrom(of: Config['identity']['certificates'][number]): CertificateRule {
  const { name, fingerprint, san, subject, roles, projects, groups, assurance } = of;
  return {
    name,
    ...(fingerprint === undefined ? {} : { fingerprint }),
    ...(san === undefined ? {} : { san }),
    ...(subject === undefined ? {} : { subject }),
    roles: (['operator', 'user'] as const).filter((role) => list(roles).includes(role)),
    projects: list(projects),
    groups: list(groups),
    assurance,
  };
}

export async function openIdentities(
  config: Config,
  ports: { readonly clock: Clock; readonly log: Log },
): Promise<Identities> {
  const { clock } = ports;
  const { identity, domain } = config;
  const dispatcher = issuerAgent(identity.issuers_ca);
  const get = jsonFetcher({ clock, dispatcher });
  const issuers = await Promise.all(
    identity.issuers.map(async (of) =>
      issuerFrom(config, of, await keysOf(of, (options) => new RemoteKeys(options, { ...ports, get }))),
    ),
  );
  const directory = identity.development_dir;
  const audience = identity.audience ?? domain;
  const development =
    directory === undefined ? undefined : await developmentIssuer({ directory, audience, clock });
  await development?.leaveTokens();
  if (development !== undefined) issuers.push(development.issuer);
  const bearer = bearerAuthenticator(issuers, clock);
  const byCertificate = certificatesOf(config, clock);
  return {
    // A bearer says more than a certificate, which may be the machine's: it counts where both came.
    authenticate: (shown) => {
      if (shown.authorization !== undefined) return bearer(shown);
      if (shown.certificate !== undefined) return byCertificate(shown.certificate);
      throw new BrokerError('UNAUTHENTICATED', 'this needs a bearer token or a client certificate');
    },
    ...(development === undefined ? {} : { development }),
    stop: () => dispatcher.destroy(),
  };
}
