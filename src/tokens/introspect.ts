/**
 * What a token says, for people and for RFC 7662: the effective rights of a verified chain, or only that it
 * is not active. An answer about a token that is not accepted says nothing else, so that nobody can use the
 * end point to read tokens that are not his.
 */
import { RIGHTS_TYPE } from './claims.ts';
import type { Chain } from './verify.ts';

export type Introspection =
  | { readonly active: false }
  | { readonly active: true; readonly [claim: string]: unknown };

export function introspection(chain: Chain | undefined): Introspection {
  if (chain === undefined) return { active: false };
  const { root, grant } = chain;
  return {
    active: true,
    token_type: 'CCT',
    iss: root.iss,
    sub: root.sub,
    client_id: root.clientId,
    aud: grant.aud,
    iat: root.iat,
    nbf: root.nbf,
    exp: grant.exp,
    jti: root.jti,
    txn: root.txn,
    authorization_details: [
      {
        type: RIGHTS_TYPE,
        actions: grant.actions,
        circuit: grant.circuit,
        stps: grant.stps,
        bandwidth_mbps: grant.mbps,
        window: grant.window,
        dlg: grant.dlg,
      },
    ],
    bud: Object.fromEntries(grant.bud),
    use: { max: root.uses },
    cnf: { jkt: chain.holderThumbprint },
    links: chain.linkJtis,
  };
}
