/**
 * How the network looks to people: ports, links, what a topology file gets wrong or would change, maintenance,
 * and free slots. Circuits and records are in show.ts.
 */
import { type Column, dig, field, type Json, type Layout, text } from './output.ts';
import { bandwidth } from './show.ts';

export const portList: Layout = {
  columns: [
    ['PORT', (p) => p['id']],
    ['DOMAIN', (p) => p['domain']],
    ['KIND', (p) => p['kind']],
    ['CAPACITY', (p) => bandwidth(p['capacity_mbps'])],
    ['VLANS', (p) => p['vlans']],
    ['MTU', (p) => p['mtu']],
    ['NODE', (p) => p['node']],
  ],
  csv: [
    field('id'),
    field('domain'),
    field('kind'),
    field('capacity_mbps'),
    field('vlans'),
    field('mtu'),
    field('node'),
  ],
  none: 'no ports',
};

export const linkList: Layout = {
  columns: [
    ['LINK', (l) => l['id']],
    ['A', (l) => dig(l, 'a', 'node')],
    ['Z', (l) => dig(l, 'z', 'node')],
    ['CAPACITY', (l) => bandwidth(l['capacity_mbps'])],
    ['LATENCY MS', (l) => l['latency_ms']],
    ['ADMIN', (l) => l['admin_state'] ?? 'UP'],
    ['OPER', (l) => l['oper_state'] ?? 'UP'],
  ],
  csv: [
    field('id'),
    ['a_node', (l) => dig(l, 'a', 'node')],
    ['a_port', (l) => dig(l, 'a', 'port')],
    ['z_node', (l) => dig(l, 'z', 'node')],
    ['z_port', (l) => dig(l, 'z', 'port')],
    field('capacity_mbps'),
    field('latency_ms'),
    field('mtu'),
    ['admin_state', (l) => l['admin_state'] ?? 'UP'],
    ['oper_state', (l) => l['oper_state'] ?? 'UP'],
  ],
  none: 'no links',
};

const end = (l: Json, side: 'a' | 'z'): string =>
  `${text(dig(l, side, 'node'))} ${text(dig(l, side, 'port'))}`.trim();

export const linkCard: readonly Column[] = [
  ['link', (l) => l['id']],
  ['a', (l) => end(l, 'a')],
  ['z', (l) => end(l, 'z')],
  ['capacity', (l) => bandwidth(l['capacity_mbps'])],
  ['latency ms', (l) => l['latency_ms']],
  ['mtu', (l) => l['mtu']],
  ['risks', (l) => l['srlgs']],
  ['admin', (l) => l['admin_state'] ?? 'UP'],
  ['oper', (l) => l['oper_state'] ?? 'UP'],
];

/** As compilers write it, so that editors find the place. */
export const problemList: Layout = {
  columns: [
    ['PLACE', (p) => `${text(p['file'])}:${text(p['line'])}`],
    ['SEVERITY', (p) => p['severity']],
    ['CODE', (p) => p['code']],
    ['IN', (p) => p['pointer']],
    ['MESSAGE', (p) => p['message']],
  ],
  csv: ['file', 'line', 'severity', 'code', 'pointer', 'message'].map((name) => field(name)),
  none: 'no mistakes',
};

export const differenceList: Layout = {
  columns: [
    ['CHANGE', (d) => d['change']],
    ['WHAT', (d) => d['kind']],
    ['ID', (d) => d['id']],
    ['FIELD', (d) => d['field']],
    ['NOW', (d) => d['before']],
    ['THEN', (d) => d['after']],
  ],
  csv: ['change', 'kind', 'id', 'field', 'before', 'after'].map((name) => field(name)),
  none: 'no difference',
};

export const brokenList: Layout = {
  columns: [
    ['CIRCUIT', (b) => b['circuit_id']],
    ['LOSES', (b) => b['detail']],
  ],
  csv: [field('circuit_id'), field('detail')],
  none: 'no circuit loses its road',
};

export const maintenanceCard: readonly Column[] = [
  ['window', (m) => m['id']],
  ['links', (m) => m['links']],
  ['nodes', (m) => m['nodes']],
  ['start', (m) => m['start_time']],
  ['end', (m) => m['end_time']],
  ['because', (m) => m['reason']],
];

export const maintenanceList: Layout = {
  columns: [
    ['WINDOW', (m) => m['id']],
    ['START', (m) => m['start_time']],
    ['END', (m) => m['end_time']],
    ['LINKS', (m) => m['links']],
    ['NODES', (m) => m['nodes']],
    ['REASON', (m) => m['reason']],
  ],
  none: 'no maintenance is announced',
};

export const maintenanceImpactList: Layout = {
  columns: [
    ['CIRCUIT', (i) => i['circuit_id']],
    ['OUTCOME', (i) => i['outcome']],
  ],
  csv: [field('circuit_id'), field('outcome')],
  none: 'no circuit has its place there',
};

/** The first column is what `--offer` takes. */
export const offerList: Layout = {
  columns: [
    ['OFFER', (o) => o['offer']],
    ['FROM', (o) => o['start_time']],
    ['UNTIL', (o) => o['end_time']],
    ['BW', (o) => bandwidth(o['bandwidth_mbps'])],
    ['LINKS', (o) => dig(o, 'path', 'links')],
    ['MOVES', (o) => o['moves']],
  ],
  csv: [
    field('offer'),
    field('start_time'),
    field('end_time'),
    field('bandwidth_mbps'),
    ['links', (o) => dig(o, 'path', 'links')],
    ['latency_ms', (o) => dig(o, 'path', 'latency_ms')],
    field('moves'),
    field('circuit_id'),
  ],
  none: 'no slots',
};

export const slotList: Layout = {
  columns: [
    ['FROM', (s) => s['start_time']],
    ['UNTIL', (s) => s['end_time']],
    ['FREE', (s) => bandwidth(s['free_mbps'])],
  ],
  csv: [field('start_time'), field('end_time'), field('free_mbps')],
  none: 'nothing is free',
};
