/** What the claims of a token are worth: of an OpenID token, of a grid token, and of one that is the other's. */
import { describe, expect, test } from 'vitest';
import { type Mapping, type Naming, principalOf } from '../../src/identity/profile.ts';

const naming = (over: Partial<Naming> = {}): Naming => ({
  issuer: 'https://login.example',
  profile: 'oidc',
  strongAcr: ['https://refeds.org/profile/mfa'],
  mappings: [],
  ...over,
});
const mappings: Mapping[] = [
  { claim: 'group', value: '/cms/ops', role: 'operator', project: 'lhc' },
  { claim: 'group', value: 'cms', role: 'user', project: 'lhc', group: 'experiments/cms' },
  { claim: 'scope', value: 'circuit.book:/lhc', role: 'user', project: 'lhc' },
  { claim: 'subject', value: 'robot', role: 'user', project: 'ops' },
  { claim: 'group', value: 'cms', project: 'elsewhere', issuer: 'https://other.example' },
];
const wlcg = {
  sub: 'u-17',
  'wlcg.ver': '1.0',
  iat: 1,
  nbf: 1,
  jti: 'x',
  'wlcg.groups': ['/cms/uscms'],
  scope: 'openid storage.read:/',
};

test('OpenID: roles, projects and groups of the token itself, and what they are mapped to', () => {
  const claims = {
    sub: 'alice',
    roles: ['user'],
    projects: ['ska'],
    groups: ['/cms/ops/night'],
    name: 'Alice',
  };
  expect(principalOf(claims, naming({ mappings }))).toEqual({
    id: 'https://login.example|alice',
    name: 'Alice',
    roles: ['operator', 'user'],
    projects: ['ska', 'lhc'],
    groups: ['cms/ops/night', 'experiments/cms'],
    assurance: 1,
  });
});

test.each([
  ['amr mfa', { amr: ['pwd', 'mfa'] }, 2],
  ['amr hwk', { amr: ['hwk'] }, 2],
  ['acr of REFEDS', { acr: 'https://refeds.org/profile/mfa' }, 2],
  ['another acr', { acr: 'https://refeds.org/profile/sfa' }, 1],
  ['an acr that only begins so', { acr: 'https://refeds.org/profile/mfa2' }, 1],
  ['acr as a list', { acr: ['https://refeds.org/profile/mfa'] }, 1],
  ['nothing', {}, 1],
])('how sure we are: %s', (_name, claims, assurance) => {
  expect(principalOf({ sub: 'alice', ...claims }, naming()).assurance).toBe(assurance);
});

describe('a grid token', () => {
  const grid = naming({ profile: 'wlcg', mappings });

  test('of WLCG authorises by its groups and scopes, as the operator maps them', () => {
    expect(principalOf(wlcg, grid)).toEqual({
      id: 'https://login.example|u-17',
      name: 'u-17',
      roles: ['user'],
      projects: ['lhc'],
      groups: ['cms/uscms', 'experiments/cms'],
      assurance: 1,
    });
  });

  test('a claim outside the profile is not used to authorise', () => {
    const claims = { ...wlcg, roles: ['operator'], projects: ['secret'], groups: ['cms/ops'], amr: ['mfa'] };
    expect(principalOf(claims, grid)).toEqual(principalOf(wlcg, grid));
  });

  test('without a mapping it opens nothing', () => {
    expect(principalOf(wlcg, naming({ profile: 'wlcg' }))).toMatchObject({ roles: [], projects: [] });
  });

  test.each([
    ['no version', { 'wlcg.ver': undefined }],
    ['another version', { 'wlcg.ver': '2.0' }],
    ['no jti', { jti: undefined }],
    ['no nbf', { nbf: undefined }],
  ])('of WLCG with %s is refused', (_name, change) => {
    expect(() => principalOf({ ...wlcg, ...change }, grid)).toThrow(/WLCG token/);
  });

  test('at an issuer of OpenID tokens is refused: nobody reads it by other rules', () => {
    expect(() => principalOf({ ...wlcg, roles: ['operator'] }, naming())).toThrow('grid token');
    expect(() => principalOf({ sub: 'a', ver: 'scitoken:2.0', roles: ['operator'] }, naming())).toThrow(
      'grid token',
    );
  });

  test('SciTokens: scopes and nothing else', () => {
    const sci = { sub: 'u', ver: 'scitoken:2.0', scope: 'circuit.book:/lhc', groups: ['cms/ops'] };
    const of = naming({ profile: 'scitokens', mappings });
    expect(principalOf(sci, of)).toMatchObject({ roles: ['user'], projects: ['lhc'] });
    expect(principalOf({ ...sci, scope: 'circuit.book:/lhc2' }, of)).toMatchObject({
      roles: [],
      projects: [],
    });
    expect(() => principalOf({ ...sci, scope: undefined }, of)).toThrow('needs scope');
    expect(() => principalOf({ ...sci, ver: 'scitoken:9' }, of)).toThrow('not a SciToken');
  });
});

test('a group is not its namesake', () => {
  const of = naming({ mappings: [{ claim: 'group', value: 'cms', project: 'lhc' }] });
  expect(principalOf({ sub: 'a', groups: ['cmsx', 'x/cms'] }, of).projects).toEqual([]);
});
