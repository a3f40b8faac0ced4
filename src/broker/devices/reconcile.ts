/**
 * Desired against observed. It takes no input: what should shine follows from the circuits, what does shine
 * is read from the devices, and the difference is mended the way everything else is done, by events and
 * effects. It repairs what lanes missed: a device that rebooted, a cable that was moved by hand.
 */
import type { Clock } from '../../kernel/clock.ts';
import { newId } from '../../kernel/ids.ts';
import type { Log } from '../../kernel/log.ts';
import type { Random } from '../../kernel/random.ts';
import { isFinal, type Segment } from '../../model/circuit.ts';
import { desired, hopKey } from '../../model/desired.ts';
import type { Writer } from '../writer.ts';
import type { Devices, ObservedConnect } from './devicePorts.ts';

export interface Drift {
  readonly missing: number;
  readonly extra: number;
  readonly foreign: number;
}

export interface Mending {
  readonly devices: Devices;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export async function reconcile(writer: Writer, ports: Mending): Promise<Drift> {
  const observed = await ports.devices.observe();
  const there = new Map(observed.map((connect) => [hopKey(connect), connect]));
  const drift = { missing: 0, extra: 0, foreign: 0 };
  const wanted = new Set<string>();
  for (const circuit of writer.book.circuits.values()) {
    for (const want of desired(circuit)) {
      for (const hop of want.segment.hops) wanted.add(hopKey(hop));
      const missing = want.segment.hops.filter(
        (hop) => there.get(hopKey(hop))?.owner?.circuit !== circuit.id,
      );
      if (missing.length === 0 || want.segment.light !== 'LIT') continue;
      drift.missing++;
      const device = missing[0]?.device ?? '';
      ports.log.warn({ event: 'reconcile.drift', device, circuit: circuit.id, kind: 'MISSING' });
      const detail = `cross-connect missing on ${device}`;
      await writer.submit((tx) => {
        if (!tx.book.circuits.has(circuit.id)) return;
        tx.apply(circuit.id, {
          type: 'down',
          domain: want.segment.domain,
          version: want.version,
          detail,
          at: tx.now,
        });
      }, true);
    }
  }
  for (const connect of observed) {
    if (connect.owner === undefined) {
      drift.foreign++;
      ports.log.warn({ event: 'reconcile.drift', device: connect.device, circuit: '', kind: 'FOREIGN' });
    } else if (!wanted.has(hopKey(connect))) {
      drift.extra += await putOut(writer, ports, connect, connect.owner);
    }
  }
  return drift;
}

/**
 * Ours, and nobody wants it: what a release left behind. A circuit that is still going out does it itself. The
 * deed is this broker's own, and written down before it is done like any other.
 */
async function putOut(
  writer: Writer,
  ports: Mending,
  connect: ObservedConnect,
  owner: NonNullable<ObservedConnect['owner']>,
): Promise<number> {
  const circuit = writer.book.circuits.get(owner.circuit);
  if (circuit !== undefined && !isFinal(circuit.state)) return 0;
  ports.log.warn({ event: 'reconcile.drift', device: connect.device, circuit: owner.circuit, kind: 'EXTRA' });
  const { device, in: inward, out } = connect;
  const none = 'none:none' as Segment['a']['port'];
  const segment: Segment = {
    domain: '',
    local: true,
    a: { port: none },
    z: { port: none },
    links: [],
    latencyMs: 0,
    uses: [],
    hops: [{ device, in: inward, out }],
    agreed: 'COMMITTED',
    light: 'DARKENING',
  };
  const decisionId = newId('dec', ports.clock.now(), ports.random);
  await writer.submit(
    (tx) =>
      tx.record({
        op: 'light.clear',
        decision_id: decisionId,
        circuit: owner.circuit,
        effect: hopKey(connect),
      }),
    true,
  );
  await ports.devices.dark(segment, {
    circuit: owner.circuit,
    version: owner.version,
    mbps: 0,
    decisionId,
    fence: writer.epoch,
    deadline: ports.clock.now(),
  });
  return 1;
}
