/**
 * `turnpike slots` with a deadline: asks the broker for an offer and shows its slots, each by the name under
 * which `circuit create --offer` takes it. What is free without a deadline is told by slots.ts.
 */
import type { Command } from 'commander';
import { type AskOptions, buildConstraints, buildSchedule, end, given } from './ask.ts';
import type { Context } from './context.ts';
import { usage } from './io.ts';
import { items, type Json, object, text } from './output.ts';
import { offerList } from './showNetwork.ts';
import { parseBandwidth, parseCount, parsePositiveDuration } from './units.ts';

export interface OfferOptions extends AskOptions {
  readonly ask?: string;
  readonly firm?: string;
  readonly limit?: string;
  readonly key?: string;
}

const ASKS = ['EARLIEST_START', 'EARLIEST_FINISH', 'MAX_BANDWIDTH', 'ALL_SLOTS'] as const;
/** What one offer holds at most. */
const MOST = 50;

export const withOffers = (command: Command): Command =>
  command
    .option('--by <time>', 'slots that are over by then, as an offer')
    .option('--not-before <time>', 'with --by: not earlier than this')
    .option('--move <volume>', 'with --by: for this much data (20TB)')
    .option('--min-bw <rate>', 'with --move: not slower than this')
    .option('--max-bw <rate>', 'with --move: not faster than this')
    .option('--ask <question>', 'with --by: earliest-start, earliest-finish, max-bandwidth or all-slots')
    .option('--firm <duration>', 'with --by: hold the slots for so long')
    .option('--protected', 'with --by: with a second, disjoint path')
    .option('--limit <n>', 'with --by: at most so many slots')
    .option('--project <name>', 'with --by: on whose account')
    .option('--key <key>', 'with --firm: the Idempotency-Key, to repeat this very request safely');

const OFFERS: readonly (keyof OfferOptions)[] = [
  'by',
  'move',
  'ask',
  'firm',
  'protected',
  'limit',
  'project',
  'key',
];

export const asksForOffer = (options: OfferOptions): boolean =>
  OFFERS.some((name) => options[name] !== undefined);

export async function offers(context: Context, a: string, z: string, options: OfferOptions): Promise<void> {
  if (options.by === undefined) throw usage('an offer needs a deadline: --by "06:00 Europe/Amsterdam"');
  if (options.bw === undefined && options.move === undefined)
    throw usage('--by needs to know how much: --bw 10G --for 2h, or --move 20TB');
  const mbps = options.bw === undefined ? undefined : parseBandwidth(options.bw);
  const { schedule, echo } = await buildSchedule(context, options, mbps);
  const constraints = buildConstraints(options);
  const body = {
    ...given('project', options.project),
    ...end('a', a, options.aVlan),
    ...end('z', z, options.zVlan),
    ...given('bandwidth_mbps', mbps),
    ...(Object.keys(constraints).length === 0 ? {} : { constraints }),
    ...(options.protected === true ? { protection: 'PROTECTED' } : {}),
    schedule,
    ...given('ask', options.ask === undefined ? undefined : parseAsk(options.ask)),
    ...given(
      'max_offers',
      options.limit === undefined ? undefined : parseCount(options.limit, 'limit', 1, MOST),
    ),
    ...given('firm_s', options.firm === undefined ? undefined : parsePositiveDuration(options.firm)),
  };
  for (const line of echo) context.out.say(line);
  const { body: answer } = await context.client.call('POST', '/v1/offers', { body, key: options.key });
  const offer = object(answer);
  const id = text(offer['id']);
  const rows = items(offer['options']).map(
    (option): Json => ({
      offer: `${id}/${text(option['option'])}`,
      ...option,
    }),
  );
  await context.out.list(rows, offerList, offer);
  const first = rows[0];
  if (first === undefined) return;
  const until = text(offer['expire_time']);
  context.out.say(
    offer['kind'] === 'FIRM'
      ? `held until ${until}; to take one of them:`
      : `until ${until}, unless somebody else is faster; to take one of them:`,
  );
  context.out.say(`  turnpike circuit create ${a} ${z} --offer ${text(first['offer'])}`);
}

function parseAsk(said: string): string {
  const found = ASKS.find((name) => name === said.toUpperCase().replaceAll('-', '_'));
  if (found !== undefined) return found;
  throw usage(
    `"${said}" is no question for an offer`,
    'earliest-start, earliest-finish, max-bandwidth or all-slots',
  );
}
