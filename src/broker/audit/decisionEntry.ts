/** The line of the audit log that a decision makes: what was asked, what the rules saw, and what they said. */

import type { DecisionRecord } from '../ports.ts';
import type { AuditEntry } from './auditPorts.ts';

const POLICY_HASH = /^[0-9a-f]{64}$/;

export function entryOf(decision: DecisionRecord): AuditEntry {
  const { facts, seen, policy, schema, circuitId, errors, token } = decision;
  const ports = ['a_port', 'z_port'].map((name) => facts[name]).filter((port) => typeof port === 'string');
  return {
    op: 'decision',
    decision_id: decision.id,
    txn: decision.requestId,
    actor: decision.principal,
    action: decision.action,
    project: decision.project,
    sequence: decision.sequence,
    decision: decision.effect,
    reasons: [...decision.reasons].sort(),
    ask: facts,
    ...(typeof facts['peer'] === 'string' ? { peer: facts['peer'] } : {}),
    ...(circuitId === undefined ? {} : { circuit: circuitId }),
    ...(ports.length === 0 ? {} : { ports }),
    ...(errors === undefined ? {} : { errors }),
    ...(seen === undefined ? {} : { facts: seen }),
    ...(token === undefined ? {} : { token: { ...token, links: token.links.length } }),
    schema_sha256: schema,
    ...(POLICY_HASH.test(policy) ? { policy_set_sha256: policy } : {}),
  };
}
