/**
 * Before a segment is lit, both ends of a border make sure that they mean the same label: what went wrong on the
 * way here must not join two customers. Another label refuses the light, silence does not.
 */
import { type Clock, sleep } from '../../kernel/clock.ts';
import { type Circuit, endsOf, placements, type Segment } from '../../model/circuit.ts';
import { borderId } from '../../topology/stitch.ts';
import type { Book } from '../book.ts';
import type { PeerAnswer, PeerMessage, Peers } from './peerPorts.ts';

/** An answer that comes later is not waited for: light is due. */
const WAIT_MS = 250;

interface Lighting {
  readonly circuit: Circuit;
  readonly segment: Segment;
  readonly version: number;
  readonly epoch: number;
}

/** What another end says against it; undefined when nobody does. */
export async function mismatch(
  book: Book,
  ports: { readonly peers: Peers; readonly clock: Clock },
  { circuit, segment, version, epoch }: Lighting,
): Promise<string | undefined> {
  const { document } = book.network;
  const home = circuit.home?.domain ?? document.domain;
  const asked = [segment.a, segment.z].flatMap(({ port, label, border }) => {
    // Most ends are no borders, and their ports are not looked up.
    if (border === undefined || label === undefined) return [];
    const there = document.ports.find((one) => one.id === port)?.remote?.domain;
    if (there === undefined) return [];
    const message: PeerMessage = {
      op: 'border-match',
      circuit: circuit.home?.circuit ?? circuit.id,
      epoch,
      floor: 0,
      home,
      port,
      label,
      version,
    };
    return [
      ports.peers.send(there, message).then(
        (answer) =>
          answer.state === 'MISMATCH'
            ? `${there} has label ${answer.label} on ${border}, not ${label}`
            : undefined,
        () => undefined,
      ),
    ];
  });
  if (asked.length === 0) return undefined;
  const late = sleep(ports.clock, WAIT_MS).then(() => undefined);
  const answers = await Promise.all(asked.map((one) => Promise.race([one, late])));
  return answers.find((answer) => answer !== undefined);
}

/** Our end of the same border, in the same version. */
export function matchOf(
  book: Book,
  { home, circuit: name, port, label, version }: Extract<PeerMessage, { readonly op: 'border-match' }>,
  epoch: number,
): PeerAnswer {
  const id = home === book.network.document.domain ? (name as Circuit['id']) : book.byHomeRef(home, name);
  const circuit = id === undefined ? undefined : book.circuits.get(id);
  const placement =
    circuit === undefined ? undefined : placements(circuit).find((p) => p.version === version);
  const ends = placement?.segments.filter((s) => s.local).flatMap(endsOf) ?? [];
  const ours = ends.find((end) => end.border === borderId(end.port, port));
  if (ours?.label === undefined || ours.offered !== undefined) return { state: 'PENDING', epoch };
  return { state: ours.label === label ? 'MATCH' : 'MISMATCH', label: ours.label, epoch };
}
