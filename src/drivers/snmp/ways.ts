/** What to try next when an agent objects: the other order, another way to make a row. Each once. */
import type { DeviceFault } from '../fault.ts';
import type { Order, Style } from './dialect.ts';
import type { StatusName } from './oids.ts';
import { SnmpRefusal } from './session.ts';
import type { Way } from './vlan.ts';

/** What an agent says that wants rows made in another way. */
const OTHER_STYLE = new Set<StatusName>([
  'noCreation',
  'inconsistentName',
  'wrongValue',
  'notWritable',
  'genErr',
]);
/** What it says that wants another order, or that failed half way. */
const OTHER_ORDER = new Set<StatusName>(['inconsistentValue', 'commitFailed', 'undoFailed']);

export const other = (order: Order): Order => (order === 'create-first' ? 'leave-first' : 'create-first');

/** What to try after a refusal; undefined when there is nothing left, or it would not help. */
export function nextWay(way: Way, trouble: DeviceFault, tried: ReadonlySet<string>): Way | undefined {
  if (!(trouble instanceof SnmpRefusal)) return undefined;
  const styles: readonly Style[] = ['one', 'bare', 'wait'];
  const flipped = { ...way, order: other(way.order) };
  const restyled = styles.map((style) => ({ ...way, style }));
  const wanted = OTHER_ORDER.has(trouble.status)
    ? [flipped, ...restyled]
    : OTHER_STYLE.has(trouble.status)
      ? restyled
      : [];
  return wanted.find(({ order, style }) => !tried.has(`${order} ${style}`));
}
