/**
 * What the SONET cross-connects of several vendors have in common. A port is cut into labels of 7 STS-3c each,
 * which carry one gigabit Ethernet (7 x 149.76 Mb/s of payload); label 0 is the whole port as one concatenation. So a
 * labelled circuit is up to seven cross-connects side by side, sent together.
 */
import { DeviceFault } from '../fault.ts';
import type { Cross, Image, Part, Tl1Dialect } from './dialect.ts';
import { quoted, type Tl1Command } from './format.ts';
import { parseText, type Tl1Response } from './parse.ts';

/** Seven of them are taken as one gigabit, as equipment does. */
const LABEL_MBPS = 1_000;
const SLOTS_PER_LABEL = 7;
/** 64 slots of an OC-192, seven to a label. */
const HIGHEST = Math.floor(64 / SLOTS_PER_LABEL);
const WHOLE = 'STS192C';

export interface SonetAids {
  /** The access identifier of STS number `sts` of a port. */
  readonly aid: (port: string, sts: number, rate: string) => string;
  /** The port and STS number of one; undefined when it is of another kind. */
  readonly port: (aid: string) => { readonly port: string; readonly sts: number } | undefined;
}

const labelOf = (rate: string, sts: number): number =>
  rate === WHOLE ? 0 : Math.floor((sts - 1) / 3 / SLOTS_PER_LABEL) + 1;

type Common = Pick<
  Tl1Dialect,
  'capabilities' | 'parts' | 'ends' | 'clash' | 'enter' | 'remove' | 'retag' | 'image' | 'change'
>;

/** `rate` reads the rate of a listed cross-connect, which vendors put in different places. */
export function sonet(
  aids: SonetAids,
  rateOf: (line: ReturnType<typeof parseText>) => string | undefined,
): Common {
  /** The STS numbers that one end takes up. */
  const span = (aid: string, rate: string): { port: string; first: number; last: number } => {
    const read = aids.port(aid);
    const first = read?.sts ?? 1;
    return { port: read?.port ?? aid, first, last: first + Number(/\d+/.exec(rate)?.[0] ?? 1) - 1 };
  };
  const cross = (verb: string, part: Part, ...more: string[]): Tl1Command => ({
    verb: `${verb}-CRS-${part.rate}`,
    aid: [part.from, part.to],
    blocks: ['', ...more],
  });
  return {
    capabilities: {
      layer: 'tdm',
      labels: 'timeslot',
      swapsLabels: true,
      rateLimit: 'port',
      atomicBatch: false,
      fence: 'none',
      events: true,
    },
    parts({ in: a, out: z, mbps }) {
      if (a.port === z.port) throw new DeviceFault('unsupported', 'a cross-connect needs two ports');
      if ((a.label === 0) !== (z.label === 0)) {
        throw new DeviceFault('unsupported', 'a whole port connects to a whole port only');
      }
      if (a.label > HIGHEST || z.label > HIGHEST) {
        throw new DeviceFault('unsupported', `labels of a SONET port end at ${HIGHEST}`);
      }
      if (a.label === 0)
        return [{ rate: WHOLE, from: aids.aid(a.port, 1, WHOLE), to: aids.aid(z.port, 1, WHOLE) }];
      const count = Math.max(1, Math.ceil((mbps * SLOTS_PER_LABEL) / LABEL_MBPS));
      if (count > SLOTS_PER_LABEL) {
        throw new DeviceFault('unsupported', `a label carries at most ${SLOTS_PER_LABEL} STS-3c`);
      }
      const sts = (label: number, i: number): number => ((label - 1) * SLOTS_PER_LABEL + i) * 3 + 1;
      return Array.from({ length: count }, (_, i) => ({
        rate: 'STS3C',
        from: aids.aid(a.port, sts(a.label, i), 'STS3C'),
        to: aids.aid(z.port, sts(z.label, i), 'STS3C'),
      }));
    },
    ends([part]) {
      const end = (aid: string): { port: string; label: number } => {
        const read = aids.port(aid);
        return { port: read?.port ?? aid, label: labelOf(part?.rate ?? '', read?.sts ?? 1) };
      };
      return { in: end(part?.from ?? ''), out: end(part?.to ?? '') };
    },
    clash(a, b) {
      const spans = (part: Part) => [span(part.from, part.rate), span(part.to, part.rate)];
      return spans(a).some((x) =>
        spans(b).some((y) => x.port === y.port && x.first <= y.last && y.first <= x.last),
      );
    },
    image(answers: readonly Tl1Response[]): Image {
      const crosses: Cross[] = [];
      for (const line of answers[0]?.lines ?? []) {
        if (!line.startsWith('"')) continue;
        const text = parseText(line);
        const [from, to] = text.aids;
        const rate = rateOf(text);
        if (from === undefined || to === undefined || rate === undefined) continue;
        crosses.push({
          rate,
          from,
          to,
          tag: text.named.get('CKTID') ?? '',
          pending: (text.blocks.at(-1) ?? '').startsWith('OOS'),
        });
      }
      return { crosses, labels: new Map() };
    },
    enter: (parts, tag) => [parts.map((part) => cross('ENT', part, '2WAY', `CKTID=${quoted(tag)}`))],
    remove: (parts) => [parts.map((part) => cross('DLT', part))],
    retag: (parts, tag) => [parts.map((part) => cross('ED', part, '', `CKTID=${quoted(tag)}`))],
    change(message) {
      if (message.verb !== 'REPT DBCHG') return undefined;
      for (const line of message.lines) {
        const { named } = parseText(line);
        const source = named.get('SOURCE');
        if (source !== undefined) return { source, user: named.get('USERID') ?? '' };
      }
      return { source: '', user: '' };
    },
  };
}
