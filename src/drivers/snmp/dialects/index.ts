/** Every SNMP dialect by name: a few lines of data each. */
import type { SnmpDialect } from '../dialect.ts';

export const snmpDialects: Readonly<Record<string, SnmpDialect>> = {
  /** As RFC 4363 has it. */
  standard: { name: 'standard', order: 'create-first', style: 'one' },
  /** Long port lists that are read without their trailing zeros and written whole; rows are made bare. */
  dell: { name: 'dell', order: 'create-first', style: 'bare', listOctets: 128 },
  /** A port must leave its old VLAN before it may be untagged in another; rows are made waiting. */
  'leave-first': { name: 'leave-first', order: 'leave-first', style: 'wait' },
  /** Its port lists are numbers in ASCII, not bits, and cannot be written. */
  junos: {
    name: 'junos',
    order: 'create-first',
    style: 'one',
    refused: 'its port lists are ASCII text, not bitmaps: this maker wants NETCONF',
  },
};
