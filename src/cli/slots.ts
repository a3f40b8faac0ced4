/**
 * `turnpike slots`: what could be had between two ports, and when. The broker tells the free bandwidth step by
 * step; with a rate, the steps that have it are put together into slots that are long enough. With a deadline
 * the broker is asked for an offer instead, whose slots can be taken as they are: that is in offers.ts.
 */
import type { Command } from 'commander';
import { instant, rfc3339 } from '../kernel/clock.ts';
import { secondsBetween } from '../model/window.ts';
import { type AskOptions, withConstraints } from './ask.ts';
import type { Run } from './circuit.ts';
import type { Context } from './context.ts';
import { CliError, exits, usage } from './io.ts';
import { asksForOffer, type OfferOptions, offers, withOffers } from './offers.ts';
import { items, type Json, number, object, text } from './output.ts';
import { slotList } from './showNetwork.ts';
import { formatBandwidth, formatDuration, parseBandwidth, parsePositiveDuration } from './units.ts';

interface SlotOptions extends OfferOptions {
  readonly from?: string;
  readonly to?: string;
}
/** What only an offer can take into account. */
const OFFERS_ONLY: readonly (keyof AskOptions)[] = [
  'notBefore',
  'minBw',
  'maxBw',
  'excludeLink',
  'excludeNode',
  'includeNode',
  'diverseFrom',
  'srlgDisjoint',
  'maxLatency',
  'maxHops',
  'minMtu',
];

interface Slot {
  readonly start_time: string;
  readonly end_time: string;
  /** The least of its steps. */
  readonly free_mbps: number;
}

export function addSlots(program: Command, run: Run): void {
  const command = program
    .command('slots <a> <z>')
    .description('what is free between two ports, and when')
    .option('--a-vlan <vlan>', '1801, 1800-1899, any or untagged')
    .option('--z-vlan <vlan>', 'the same for the other end')
    .option('--from <time>', 'from when; now if absent')
    .option('--to <time>', 'until when; a week later if absent')
    .option('--bw <rate>', 'only where so much is free')
    .option('--for <duration>', 'only for at least so long');
  withConstraints(withOffers(command))
    .addHelpText(
      'after',
      `
Without --by it tells what is free. A slot over several steps may have no single road throughout: "circuit
create --dry-run" tells. With --by it asks for an offer, of which each slot has its road and can be taken:
  turnpike slots ams:host1 ams:host3 --bw 10G --for 2h --by "06:00 Europe/Amsterdam" --firm 10m
  turnpike circuit create ams:host1 ams:host3 --offer off_.../0`,
    )
    .action((a: string, z: string, options: SlotOptions, command: Command) =>
      run(command, (context) =>
        asksForOffer(options) ? offerInstead(context, a, z, options) : slots(context, a, z, options),
      ),
    );
}

function offerInstead(context: Context, a: string, z: string, options: SlotOptions): Promise<void> {
  if ((options.from ?? options.to) !== undefined)
    throw usage('an offer is asked for between --not-before and --by', 'not --from and --to');
  return offers(context, a, z, options);
}

async function slots(context: Context, a: string, z: string, options: SlotOptions): Promise<void> {
  if (OFFERS_ONLY.some((name) => options[name] !== undefined))
    throw usage('what the road and the window must be like goes with --by', 'say until when: --by +1d');
  const mbps = options.bw === undefined ? 0 : parseBandwidth(options.bw);
  const seconds = options.for === undefined ? 0 : parsePositiveDuration(options.for);
  const from = options.from === undefined ? undefined : await context.time(options.from);
  const to = options.to === undefined ? undefined : await context.timeAfter(options.to, from ?? context.now);
  const { body } = await context.client.get('/v1/availability', {
    a,
    z,
    a_vlan: vlan(options.aVlan),
    z_vlan: vlan(options.zVlan),
    from: from === undefined ? undefined : rfc3339(from),
    to: to === undefined ? undefined : rfc3339(to),
  });
  const answer = object(body);
  const all = stepsOf(answer);
  const reached = text(answer['to_time']);
  if (to !== undefined && reached !== rfc3339(to))
    context.out.say(`only until ${reached}: ask again from there`);
  const wanted = mbps > 0 || seconds > 0;
  const found = wanted ? slotsIn(all, mbps, seconds) : all;
  const rows = found.map((slot): Json => ({ ...slot }));
  await context.out.list(rows, slotList, wanted ? { ...answer, slots: rows } : answer);
  const first = found[0];
  if (!wanted || first !== undefined) return;
  const asked = [
    mbps > 0 ? formatBandwidth(mbps) : 'anything',
    ...(seconds > 0 ? [`for ${formatDuration(seconds)}`] : []),
  ];
  const most = Math.max(0, ...all.map((step) => step.free_mbps));
  throw new CliError(exits.NO_SLOT, `there is no slot of ${asked.join(' ')} between ${a} and ${z}`, [
    most > 0 ? `at most ${formatBandwidth(most)} are free at a time` : 'other ports, or a later time',
  ]);
}

const vlan = (said: string | undefined): string | undefined =>
  said !== undefined && /^(?:any|untagged)$/i.test(said) ? said.toUpperCase() : said;

function stepsOf(answer: Json): Slot[] {
  const steps = items(answer['steps']);
  return steps.map((step, i) => ({
    start_time: text(step['start_time']),
    end_time: text(steps[i + 1]?.['start_time'] ?? answer['to_time']),
    free_mbps: number(step['free_mbps']) ?? 0,
  }));
}

/** Neighbouring steps that have the rate, as one slot, where it is long enough. */
export function slotsIn(steps: readonly Slot[], mbps: number, seconds: number): Slot[] {
  const found: Slot[] = [];
  for (const step of steps) {
    if (step.free_mbps < Math.max(1, mbps)) continue;
    const last = found.at(-1);
    if (last === undefined || last.end_time !== step.start_time) found.push(step);
    else {
      const free = Math.min(last.free_mbps, step.free_mbps);
      found[found.length - 1] = { start_time: last.start_time, end_time: step.end_time, free_mbps: free };
    }
  }
  return found.filter((slot) => lengthOf(slot) >= seconds);
}

const lengthOf = ({ start_time, end_time }: Slot): number =>
  secondsBetween(instant(Date.parse(start_time)), instant(Date.parse(end_time)));
