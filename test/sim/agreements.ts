/**
 * What a home says, and what the other domains of the path make of it, from what their stores durably hold and
 * what their devices really have lit: law 1 (agreed is committed everywhere), law 4 (whoever was told nothing
 * comes to know) and law 5 (what is said shines on time). None of it uses the code that it checks.
 */
import { type Circuit, isFinal, type Placement, type State } from '../../src/model/circuit.ts';
import { placementsOf } from './checkers.ts';
import { law } from './laws.ts';
import type { Node } from './node.ts';

const AGREED: readonly State[] = ['SCHEDULED', 'PROVISIONING', 'ACTIVE'];
/** From its start, or from the start of its process, until every domain has at least ordered the light. */
const ORDERED_MS = 5_000;

/** Questions after which more than a minute has passed, each twice as far from the next as from the one before. */
const ASKED_OFTEN = 4;

/** What a home has agreed with everybody: what it is changing to as soon as only its own light is awaited. */
export const saidBy = ({ role, state, current, pending }: Circuit): Placement | undefined => {
  if (role !== 'HOME' || !AGREED.includes(state)) return undefined;
  return pending?.phase === 'LIGHTING' ? pending.placement : current;
};

/** Is the participant telling its home that it has ended? */
const saysEnded = (node: Node, theirs: Circuit | undefined): boolean =>
  [...node.mirror.effects.values()].some(
    (e) => e.circuitId === theirs?.id && e.effect.type === 'peer.notify' && e.effect.what === 'ENDED',
  );

/** What a home calls agreed, every domain of its path has committed, or has let go and is saying so. */
export function checkAgreements(nodes: readonly Node[]): string[] {
  const wrong: string[] = [];
  for (const home of nodes) {
    for (const circuit of home.mirror.live.values()) {
      const said = saidBy(circuit);
      if (said === undefined || said.window.end <= home.watch.now()) continue;
      for (const segment of said.segments.filter((s) => !s.local)) {
        const node = nodes.find((n) => n.name === segment.domain);
        if (node === undefined || node.watch.now() >= said.window.end) continue;
        const theirs = node.byHome(circuit.id);
        // Held is not committed.
        const committed =
          theirs?.pending?.phase === 'HOLDING'
            ? [theirs.current]
            : theirs === undefined
              ? []
              : placementsOf(theirs);
        const keeps = committed.some((p) => p?.version === said.version);
        if (!keeps && !saysEnded(node, theirs))
          wrong.push(
            law(
              1,
              `${home.name} ${circuit.id} is ${circuit.state} v${said.version}, ${node.name} has ${theirs?.state}`,
            ),
          );
      }
    }
  }
  return wrong;
}

/** What a participant holds or has committed, its home wants, or is still busy taking back. */
export function checkOrphans(nodes: readonly Node[]): string[] {
  const wrong: string[] = [];
  for (const node of nodes) {
    for (const circuit of node.mirror.live.values()) {
      const of = circuit.home;
      if (of === undefined || circuit.state === 'RELEASING') continue;
      const home = nodes.find((n) => n.name === of.domain);
      if (home === undefined) continue;
      const theirs = home.mirror.circuits.get(of.circuit as Circuit['id']);
      const busy = [...home.mirror.effects.values()].some(
        (e) => e.circuitId === of.circuit && 'domain' in e.effect && e.effect.domain === node.name,
      );
      if (busy) continue;
      const wanted =
        theirs === undefined || isFinal(theirs.state) ? [] : placementsOf(theirs).map((p) => p.version);
      for (const p of placementsOf(circuit)) {
        if (p === circuit.pending?.placement && circuit.pending.phase === 'RETIRING') continue;
        // Of what has been over for an hour nothing more is said to a domain that does not answer.
        if (p.window.end + 3_600_000 <= home.watch.now()) continue;
        if (!wanted.includes(p.version))
          wrong.push(
            law(
              4,
              `${node.name} ${circuit.id} is ${circuit.state} with v${p.version}, its home ${theirs?.id} is ${theirs?.state} with ${wanted.join(' and ') || 'nothing'}`,
            ),
          );
      }
    }
  }
  return wrong;
}

/** While its time lasts, what a home says is lit in every domain, or an order to light it is on its way. */
export function checkShining(nodes: readonly Node[]): string[] {
  const wrong: string[] = [];
  for (const home of nodes) {
    for (const circuit of home.mirror.live.values()) {
      const said = saidBy(circuit);
      if (said === undefined) continue;
      for (const { local, domain } of said.segments) {
        const node = local ? home : nodes.find((n) => n.name === domain);
        const theirs = local ? circuit : node?.byHome(circuit.id);
        if (node === undefined || theirs === undefined || !node.up) continue;
        const now = node.watch.now();
        const since = Math.max(said.window.start, node.upSince, circuit.updateTime);
        if (now < since + ORDERED_MS || now >= said.window.end) continue;
        // Whoever is MANUAL waits to be told.
        if (circuit.request.provision === 'MANUAL' && !theirs.armed) continue;
        if (shines(node, theirs, said.version) || isOrdered(node, theirs, said.version)) continue;
        if (!saysEnded(node, theirs))
          wrong.push(
            law(
              5,
              `${home.name} ${circuit.id} is ${circuit.state} v${said.version} since ${now - since} ms and nobody lights it in ${node.name}, which is ${theirs.state}`,
            ),
          );
      }
    }
  }
  return wrong;
}

/**
 * Every cross-connect of that version is there, or was lost by a device that has had no order for it since. An order
 * to put out another version, whose hops it shares, does not look for it: the next comparison does.
 */
function shines(node: Node, theirs: Circuit, version: number): boolean {
  const hops = placementsOf(theirs)
    .find((p) => p.version === version)
    ?.segments.find((s) => s.local)?.hops;
  return (
    hops?.every((hop) => {
      const device = node.devices.get(hop.device);
      const lit = [...(device?.lit.values() ?? [])].some(
        (l) => l.circuit === theirs.id && l.hop.in.port === hop.in.port && l.hop.out.port === hop.out.port,
      );
      return lit || device?.forgotten.has(`${theirs.id} v${version}`) === true;
    }) === true
  );
}

const isOrdered = (node: Node, theirs: Circuit, version: number): boolean =>
  [...node.mirror.effects.values()].some(
    ({ circuitId, effect }) =>
      circuitId === theirs.id && effect.type === 'device.light' && effect.version === version,
  );

/** Once all is healed for a while, home and participants name the same version, know it, and it shines when it should. */
export function checkHealed(nodes: readonly Node[], forMs: number): string[] {
  const wrong: string[] = [];
  for (const node of nodes) {
    const now = node.watch.now();
    for (const circuit of node.mirror.live.values()) {
      const { current } = circuit;
      // Of that many questions the last was asked when there was somebody to answer it.
      if (current !== undefined && circuit.home?.told === false && circuit.home.asks >= ASKED_OFTEN)
        wrong.push(law(4, `${node.name} ${circuit.id} was never told that v${current.version} stands`));
      if (current === undefined || circuit.updateTime > now - forMs) continue;
      if (circuit.role === 'PARTICIPANT' && AGREED.includes(circuit.state)) {
        const home = nodes.find((n) => n.name === circuit.home?.domain);
        if (home === undefined) continue;
        const theirs = home.mirror.circuits.get(circuit.home?.circuit as Circuit['id']);
        const said = theirs === undefined ? undefined : saidBy(theirs);
        if (said?.version !== current.version)
          wrong.push(
            law(
              4,
              `${node.name} keeps v${current.version} of ${theirs?.id}, its home has ${theirs?.state} v${said?.version}`,
            ),
          );
      }
      const within = current.window.start <= now - forMs && now < current.window.end;
      if (
        within &&
        AGREED.includes(circuit.state) &&
        (circuit.request.provision === 'AUTOMATIC' || circuit.armed)
      ) {
        const hops = current.segments.find((s) => s.local)?.hops ?? [];
        const lit = hops.every((hop) =>
          [...(node.devices.get(hop.device)?.lit.values() ?? [])].some(
            (l) => l.circuit === circuit.id && l.versions.has(current.version),
          ),
        );
        if (!lit) wrong.push(law(5, `${node.name} ${circuit.id} is ${circuit.state} and dark in its window`));
      }
    }
  }
  return wrong;
}
