/**
 * Polatis / Huber+Suhner fibre switches: a patch joins two fibres, whatever is on them. A patch has no name, so
 * the owner's tag goes in front of the labels of both ports, and the operator's own label stays behind it.
 * Labels are written before the patch and taken away after it: a crash in between leaves a label, never a
 * patch that looks like somebody else's.
 *
 * Checked against what users of these switches have published, a test suite and several scripts: RTRV-PATCH answers
 * "1,17", RTRV-PORT-LABEL "1:text"; labels are set by ED-PORT-LABEL with LABEL= and taken away by DLT-PORT-LABEL; AIDs
 * take `&`, `&&` and ALL. Nobody shows an alarm of theirs: those are read as GR-833 has them.
 */
import { DeviceFault } from '../../fault.ts';
import { ownerOf, TAG_LENGTH } from '../../owner.ts';
import { type DialectOptions, type Image, type Part, type Tl1Dialect, touches } from '../dialect.ts';
import { grouped, identifier, quoted, type Tl1Command } from '../format.ts';
import { unquote } from '../parse.ts';

const PORT = /^\d{1,4}$/;
const LONGEST_LABEL = 64;

/** The operator's part of a label; what we could not write back as it is, is written back without it. */
const ownPart = (label: string): string =>
  (ownerOf(label) === undefined ? label : label.slice(TAG_LENGTH + 1)).replace(/[^A-Za-z0-9 ._/+-]/g, '_');

/** ED with LABEL=text; an empty one is no label, and taken away by DLT. */
const setLabel = (port: string, text: string): Tl1Command =>
  text === ''
    ? { verb: 'DLT-PORT-LABEL', aid: [identifier(port)], blocks: [''] }
    : {
        verb: 'ED-PORT-LABEL',
        aid: [identifier(port)],
        blocks: ['', '', `LABEL=${quoted(text.slice(0, LONGEST_LABEL))}`],
      };

const setLabels = (parts: readonly Part[], image: Image, tag: string | undefined): Tl1Command[] =>
  parts.flatMap(({ from, to }) =>
    [from, to].map((port) => {
      const own = ownPart(image.labels.get(port) ?? '');
      return setLabel(port, tag === undefined ? own : `${tag} ${own}`.trimEnd());
    }),
  );

export function polatis(options: DialectOptions = {}): Tl1Dialect {
  const all = `1&&${options.size ?? 64}`;
  return {
    name: 'polatis',
    port: 3082,
    depth: 4,
    alarmed: (aid) => (PORT.test(aid) ? aid : undefined),
    capabilities: {
      layer: 'fibre',
      labels: 'none',
      swapsLabels: false,
      rateLimit: 'none',
      atomicBatch: true,
      fence: 'none',
      events: false,
    },
    greeting: [],
    retrieve: [
      { verb: 'RTRV-PATCH', blocks: [''] },
      { verb: 'RTRV-PORT-LABEL', aid: [all], blocks: [''] },
    ],
    image([patches, names]) {
      const labels = new Map<string, string>();
      for (const line of names?.lines ?? []) {
        const text = unquote(line);
        const colon = text.indexOf(':');
        if (colon > 0) labels.set(text.slice(0, colon), unquote(text.slice(colon + 1)));
      }
      const crosses = (patches?.lines ?? []).flatMap((line) => {
        const match = /^"?(\d+),(\d+)"?$/.exec(line);
        if (match === null) return [];
        const from = match[1] as string;
        const to = match[2] as string;
        const first = labels.get(from) ?? '';
        const second = labels.get(to) ?? '';
        // Ours only when both ends say so, and the same.
        const tag = first.slice(0, TAG_LENGTH);
        const agreed = ownerOf(tag) !== undefined && second.startsWith(tag);
        return [{ rate: '', from, to, tag: agreed ? tag : '', pending: false }];
      });
      return { crosses, labels };
    },
    parts({ in: from, out: to }) {
      if (from.label !== 0 || to.label !== 0) {
        throw new DeviceFault('unsupported', 'a fibre switch patches whole ports: label 0 only');
      }
      if (!PORT.test(from.port) || !PORT.test(to.port) || from.port === to.port) {
        throw new DeviceFault('unsupported', 'ports of a fibre switch are two different numbers');
      }
      return [{ rate: '', from: from.port, to: to.port }];
    },
    ends: ([part]) => ({
      in: { port: part?.from ?? '', label: 0 },
      out: { port: part?.to ?? '', label: 0 },
    }),
    clash: touches,
    enter: (parts, tag, image) => [
      setLabels(parts, image, tag),
      [
        {
          verb: 'ENT-PATCH',
          aid: [grouped(parts.map((p) => p.from)), grouped(parts.map((p) => p.to))],
          blocks: [''],
        },
      ],
    ],
    remove: (parts, image) => [
      [{ verb: 'DLT-PATCH', aid: [grouped(parts.map((p) => p.from))], blocks: [''] }],
      setLabels(parts, image, undefined),
    ],
    retag: (parts, tag, image) => [setLabels(parts, image, tag)],
    inventory: [{ verb: 'RTRV-PORT-LABEL', aid: [all], blocks: [''] }],
    view: ([names]) => ({
      ports: (names?.lines ?? []).flatMap((line) => {
        const match = /^"?(\d+):(.*?)"?$/.exec(line);
        if (match === null) return [];
        const own = ownPart(unquote(match[2] ?? ''));
        return [{ name: match[1] as string, ...(own === '' ? {} : { description: own }) }];
      }),
      neighbours: [],
    }),
    change: () => undefined,
  };
}
