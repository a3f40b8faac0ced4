/** A request as an operator can read it and type it again with snmpset. No secrets are in it. */
import { Tag, type Value } from './ber.ts';
import { Oid } from './oids.ts';
import type { Step } from './vlan.ts';

const names = new Map<string, string>(Object.entries(Oid).map(([name, oid]) => [oid, name]));

function named(oid: string): string {
  for (let at = oid.length; at > 0; at = oid.lastIndexOf('.', at - 1)) {
    const name = names.get(oid.slice(0, at));
    if (name !== undefined) return `${name}${oid.slice(at)}`;
  }
  return oid;
}

function shown(oid: string, value: Value): string {
  switch (value.tag) {
    case Tag.Integer:
      return `i ${value.value}`;
    case Tag.Gauge32:
      return `u ${value.value}`;
    case Tag.OctetString:
      return oid.startsWith(Oid.dot1qVlanStaticName) || oid.startsWith(Oid.ifAlias)
        ? `s "${value.value.toString('utf8')}"`
        : `x ${value.value.toString('hex').toUpperCase()}`;
    default:
      return `${value.value}`;
  }
}

export const showStep = ({ varbinds }: Step): string =>
  `set ${varbinds.map(({ oid, value }) => `${named(oid)} ${shown(oid, value)}`).join(' ')}`;
