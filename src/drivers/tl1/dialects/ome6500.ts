/**
 * Ciena (Nortel) OME 6500. Cross-connects carry a CKTID and are confirmed by a database change message whose
 * SOURCE is the CTAG of the command. It takes commands side by side: seven cross-connects in one to two
 * seconds together, ten one after another.
 *
 * The text of REPT DBCHG was checked against a published network manager that quotes it (DBCHGSEQ, DATE, TIME, USERID,
 * SOURCE, PRIORITY, then the command after a colon). RTRV-AD-ALL and RTRV-RTG-INFO are as sessions with real elements
 * had them; no public description of their answers was found.
 */
import type { Tl1Dialect } from '../dialect.ts';
import { parseText } from '../parse.ts';
import { sonet } from '../sonet.ts';

const AID = /^(STS\d+C)-(\d+-\d+-\d+)-(\d+)$/;

export function ome6500(): Tl1Dialect {
  const common = sonet(
    {
      aid: (port, sts, rate) => `${rate}-${port}-${sts}`,
      port(aid) {
        const match = AID.exec(aid);
        return match === null ? undefined : { port: match[2] as string, sts: Number(match[3]) };
      },
    },
    (text) => AID.exec(text.aids[0] ?? '')?.[1],
  );
  return {
    ...common,
    name: 'ome6500',
    port: 10_001,
    depth: 8,
    alarmed: (aid) => /^(?:OC\d+|ETH\w*|OTM\d*|FAC)-(\d+-\d+-\d+)$/.exec(aid)?.[1],
    greeting: [{ verb: 'ALW-MSG-BROADCAST' }],
    retrieve: [{ verb: 'RTRV-CRS-ALL', aid: ['ALL'] }],
    inventory: [{ verb: 'RTRV-RTG-INFO' }, { verb: 'RTRV-AD-ALL', aid: ['ALL'] }],
    view([routing, adjacency]) {
      const ports = (routing?.lines ?? []).flatMap((line) => {
        const { aids, named } = parseText(line);
        const match = /^OC\d+-(\d+-\d+-\d+)$/.exec(aids[0] ?? '');
        if (match === null) return [];
        return [{ name: match[1] as string, speedMbps: Number(named.get('BW') ?? 0) }];
      });
      const neighbours = (adjacency?.lines ?? []).flatMap((line) => {
        const { aids, named } = parseText(line);
        const match = /^ADJ-(\d+-\d+-\d+)$/.exec(aids[0] ?? '');
        const remoteDevice = named.get('FETID');
        const remotePort = named.get('FEAID');
        if (match === null || remoteDevice === undefined || remotePort === undefined) return [];
        return [{ port: match[1] as string, remoteDevice, remotePort: remotePort.replace(/^ADJ-/, '') }];
      });
      return { ports, neighbours };
    },
  };
}
