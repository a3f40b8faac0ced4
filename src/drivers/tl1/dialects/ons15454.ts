/**
 * Cisco ONS 15454, in releases whose cross-connects carry a CKTID (5 and later). The AID of a path is
 * STS-slot-number whatever its rate; the rate stands beside the connection's type in the list.
 *
 * Checked against Cisco's TL1 command guides (3.3 to 4.6): RTRV-CRS answers "STS-6-1,STS-12-4:2WAY,STS3C", in later
 * releases with the states behind it; RTRV-INV names a SLOT-n, its card behind a comma, then named fields; alarms of
 * ports have FAC AIDs.
 */
import type { Tl1Dialect } from '../dialect.ts';
import { parseText } from '../parse.ts';
import { sonet } from '../sonet.ts';

const AID = /^STS-(\d+(?:-\d+)?)-(\d+)$/;

export function ons15454(): Tl1Dialect {
  const common = sonet(
    {
      aid: (port, sts) => `STS-${port}-${sts}`,
      port(aid) {
        const match = AID.exec(aid);
        return match === null ? undefined : { port: match[1] as string, sts: Number(match[2]) };
      },
    },
    (text) => /(?:^|,)(STS\d+C?)(?:,|$)/.exec(text.blocks[1] ?? '')?.[1],
  );
  return {
    ...common,
    name: 'ons15454',
    port: 3083,
    depth: 4,
    alarmed: (aid) => /^FAC-(\d+(?:-\d+)?)$/.exec(aid)?.[1],
    greeting: [{ verb: 'ALW-MSG-ALL' }],
    retrieve: [{ verb: 'RTRV-CRS', aid: ['ALL'] }],
    inventory: [{ verb: 'RTRV-INV', aid: ['ALL'] }],
    view: ([inventory]) => ({
      ports: (inventory?.lines ?? []).flatMap((line) => {
        const { aids, blocks } = parseText(line);
        const match = /^SLOT-(\d+)$/.exec(aids[0] ?? '');
        const rate = /OC(\d+)/.exec(blocks.join(':'));
        return match === null || rate === null
          ? []
          : [{ name: match[1] as string, speedMbps: Math.round(Number(rate[1]) * 51.84) }];
      }),
      neighbours: [],
    }),
  };
}
