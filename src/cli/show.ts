/**
 * How each kind of answer looks to people, and which columns it has for a spreadsheet. The fields are those
 * of the API; one that is absent is left out or shown as a dash. The network is in showNetwork.ts.
 */
import { type Column, dig, field, isJson, items, type Json, type Layout, number, text } from './output.ts';
import { formatBandwidth, formatDuration } from './units.ts';

export const bandwidth = (value: unknown): string => {
  const mbps = number(value);
  return mbps === undefined ? '' : formatBandwidth(mbps);
};

const duration = (value: unknown): string => {
  const seconds = number(value);
  return seconds === undefined ? '' : formatDuration(seconds);
};

/** What was placed, or else what was asked for. */
const rate = (c: Json): unknown =>
  dig(c, 'placement', 'bandwidth_mbps') ??
  dig(c, 'pending', 'bandwidth_mbps') ??
  dig(c, 'request', 'bandwidth_mbps');
const startOf = (c: Json): unknown =>
  dig(c, 'placement', 'start_time') ??
  dig(c, 'pending', 'start_time') ??
  dig(c, 'request', 'schedule', 'start_time');
const endOf = (c: Json): unknown =>
  dig(c, 'placement', 'end_time') ??
  dig(c, 'pending', 'end_time') ??
  dig(c, 'request', 'schedule', 'end_time') ??
  dig(c, 'request', 'schedule', 'deadline_time');

function endpoint(c: Json, side: 'a' | 'z'): string {
  const port = text(dig(c, 'request', side, 'port'));
  const vlan = dig(c, 'placement', `${side}_vlan`) ?? dig(c, 'request', side, 'vlan');
  return vlan === undefined || vlan === 'ANY' ? port : `${port} vlan ${text(vlan)}`;
}

export const circuitList: Layout = {
  columns: [
    ['CODE', (c) => c['short_code']],
    ['ID', (c) => c['id']],
    ['STATE', (c) => c['state']],
    ['A', (c) => dig(c, 'request', 'a', 'port')],
    ['Z', (c) => dig(c, 'request', 'z', 'port')],
    ['BW', (c) => bandwidth(rate(c))],
    ['START', startOf],
    ['END', endOf],
    ['REF', (c) => dig(c, 'request', 'client_ref')],
  ],
  csv: [
    field('id'),
    field('short_code'),
    field('state'),
    ['project', (c) => dig(c, 'request', 'project')],
    ['client_ref', (c) => dig(c, 'request', 'client_ref')],
    ['a_port', (c) => dig(c, 'request', 'a', 'port')],
    ['a_vlan', (c) => dig(c, 'placement', 'a_vlan') ?? dig(c, 'request', 'a', 'vlan')],
    ['z_port', (c) => dig(c, 'request', 'z', 'port')],
    ['z_vlan', (c) => dig(c, 'placement', 'z_vlan') ?? dig(c, 'request', 'z', 'vlan')],
    ['bandwidth_mbps', rate],
    ['start_time', startOf],
    ['end_time', endOf],
    ['laxity_s', (c) => dig(c, 'placement', 'laxity_s')],
    field('revision'),
    field('create_time'),
    field('update_time'),
  ],
  none: 'no circuits',
};

const reason = (c: Json): string => {
  const code = text(dig(c, 'state_reason', 'code'));
  const detail = text(dig(c, 'state_reason', 'detail'));
  return [code, detail].filter((part) => part !== '').join(': ');
};

const conditionOf = (c: Json, type: string, yes: string, no: string): string => {
  const condition = items(c['conditions']).find((each) => each['type'] === type);
  if (condition === undefined) return '';
  const word = { TRUE: yes, FALSE: no }[text(condition['status'])] ?? 'unknown';
  const why = text(condition['detail']) || text(condition['reason']);
  return why === '' ? word : `${word} (${why})`;
};

/** `10G from ... until ...` of a placement. */
function slot(p: unknown): string {
  if (!isJson(p) || p['start_time'] === undefined) return '';
  const until = text(p['end_time']);
  return `${bandwidth(p['bandwidth_mbps'])} from ${text(p['start_time'])}${until === '' ? '' : ` until ${until}`}`.trim();
}

const hasWindow = (c: Json): boolean =>
  /^(?:FLEXIBLE|VOLUME)$/.test(text(dig(c, 'request', 'schedule', 'type')));

/** Only what has a deadline has any. */
const spare = (c: Json, name: string): string => (hasWindow(c) ? duration(dig(c, 'placement', name)) : '');

/** Where it was placed, when that was not for the asker to say: the rate, the slot, and what is left of the window. */
export function placedLines(c: Json, asked: string): string[] {
  const placement = c['placement'];
  const placed = slot(placement);
  if (placed === '' || (asked !== 'OFFER' && !hasWindow(c))) return [];
  const lines = [`placed    ${placed}`];
  // Of a volume the laxity is known only now that it has a rate.
  if (asked === 'VOLUME') lines.push(`laxity    ${spare(c, 'laxity_s')}`);
  if (!hasWindow(c)) return lines;
  const moves =
    dig(placement, 'movable') === true
      ? `it may be moved until ${duration(dig(c, 'request', 'notice_s'))} before its start`
      : 'it will not be moved';
  return [...lines, `slack     ${spare(c, 'slack_s')} to the deadline; ${moves}`];
}

export const circuitCard: readonly Column[] = [
  ['circuit', (c) => c['id']],
  ['code', (c) => c['short_code']],
  ['state', (c) => c['state']],
  ['because', reason],
  ['project', (c) => dig(c, 'request', 'project')],
  ['description', (c) => dig(c, 'request', 'description')],
  ['ref', (c) => dig(c, 'request', 'client_ref')],
  ['a', (c) => endpoint(c, 'a')],
  ['z', (c) => endpoint(c, 'z')],
  ['bandwidth', (c) => bandwidth(rate(c))],
  ['start', startOf],
  [
    'end',
    (c) => (dig(c, 'request', 'schedule', 'end') === 'NEVER' && endOf(c) === undefined ? 'never' : endOf(c)),
  ],
  ['laxity', (c) => spare(c, 'laxity_s')],
  ['slack', (c) => spare(c, 'slack_s')],
  ['moved', (c) => (dig(c, 'placement', 'moves') === 0 ? '' : dig(c, 'placement', 'moves'))],
  ['lit from', (c) => dig(c, 'placement', 'actual_start_time')],
  ['lit until', (c) => dig(c, 'placement', 'actual_end_time')],
  ['hold until', (c) => c['hold_expire_time']],
  ['changing to', (c) => slot(c['pending'])],
  ['domains', (c) => dig(c, 'path', 'domains')],
  ['links', (c) => dig(c, 'path', 'links')],
  ['backup over', (c) => dig(c, 'path', 'backup_domains')],
  ['backup', (c) => dig(c, 'path', 'backup_links')],
  ['light', (c) => conditionOf(c, 'DataPlaneUp', 'up', 'down')],
  ['protected', (c) => conditionOf(c, 'Protected', 'yes', 'no')],
  ['can', (c) => c['allowed_actions']],
  ['decisions', (c) => c['decision_ids']],
];

export const segmentList: Layout = {
  columns: [
    ['DOMAIN', (s) => s['domain']],
    ['WAY', (s) => s['way']],
    ['STATE', (s) => s['state']],
    ['LIGHT', (s) => s['data_plane']],
    ['IMPAIRED', (s) => s['impaired']],
    ['LOST', (s) => s['lost']],
    ['A', (s) => s['a_port']],
    ['Z', (s) => s['z_port']],
    ['LINKS', (s) => s['links']],
    ['BACKUP', (s) => s['backup_links']],
    ['PEER REF', (s) => s['peer_ref']],
  ],
  none: 'no path yet',
};

export const eventType = (event: Json): string => text(event['type']);

/** What an event says beyond its type, in a few words: the state and why, the slot, and the rest by name. */
export function eventGist(event: Json): string {
  const data = event['data'];
  if (!isJson(data)) return '';
  const { project: _, circuit_id: _id, short_code: _code, revision: _revision, ...told } = data;
  const { state, state_reason, placement, ...rest } = told;
  const why = text(dig(state_reason, 'detail')) || text(dig(state_reason, 'code'));
  return [
    why === '' ? text(state) : `${text(state)}: ${why}`,
    slot(placement),
    ...Object.entries(rest).map(
      ([name, value]) => `${name}=${isJson(value) ? slot(value) || text(value) : text(value)}`,
    ),
  ]
    .filter((part) => part !== '')
    .join(', ');
}

export const eventList: Layout = {
  columns: [
    ['TIME', (e) => e['time']],
    ['EVENT', (e) => e['id']],
    ['TYPE', eventType],
    ['SUBJECT', (e) => e['subject']],
    ['WHAT', eventGist],
  ],
  csv: [field('id'), field('time'), field('type'), field('subject'), field('source'), field('data')],
  none: 'no events',
};

export const decisionList: Layout = {
  columns: [
    ['TIME', (d) => d['create_time']],
    ['DECISION', (d) => d['id']],
    ['EFFECT', (d) => d['effect']],
    ['ACTION', (d) => d['action']],
    ['PRINCIPAL', (d) => d['principal']],
    ['CIRCUIT', (d) => d['circuit_id']],
  ],
  none: 'no decisions',
};

export const webhookList: Layout = {
  columns: [
    ['WEBHOOK', (w) => w['id']],
    ['STATE', (w) => w['state']],
    ['URL', (w) => w['url']],
    ['TYPES', (w) => w['types']],
    ['FAILURES', (w) => w['failures']],
    ['LAST ERROR', (w) => w['last_error']],
  ],
  none: 'no webhooks',
};

export const occurrenceList: Layout = {
  columns: [
    ['START', (o) => o['start_time']],
    ['CIRCUIT', (o) => o['circuit_id']],
    ['REFUSED', (o) => dig(o, 'problem', 'detail') ?? dig(o, 'problem', 'title')],
  ],
  csv: [field('start_time'), field('circuit_id'), ['problem_code', (o) => dig(o, 'problem', 'code')]],
  none: 'no occurrences',
};
