/**
 * What a domain's store holds, as far as anybody could know it: built from the groups that became durable,
 * each circuit folded anew from its events. The checkers look here and never ask the broker what is true.
 */
import { isDeepStrictEqual } from 'node:util';
import { MerkleLog } from '../../src/aaa/merkle/log.ts';
import { readNote } from '../../src/aaa/merkle/note.ts';
import { leafHash } from '../../src/aaa/merkle/tree.ts';
import type { LightContext } from '../../src/broker/devices/devicePorts.ts';
import type { EffectRecord, Group } from '../../src/broker/ports.ts';
import type { CircuitId } from '../../src/kernel/ids.ts';
import { type Circuit, isFinal } from '../../src/model/circuit.ts';
import { step } from '../../src/model/lifecycle.ts';
import type { TopologyDocument } from '../../src/topology/document.ts';
import { GuestKeeper } from './domainLaws.ts';
import { law } from './laws.ts';
import { PromiseKeeper, type Step } from './promises.ts';
import { Shares, TokenKeeper } from './tokenLaws.ts';

export class Mirror {
  readonly circuits = new Map<CircuitId, Circuit>();
  /** Those that are not final: the ones that the checkers look through at every step. */
  readonly live = new Map<CircuitId, Circuit>();
  readonly effects = new Map<number, EffectRecord>();
  /** The audit log, from the texts themselves. */
  readonly log = new MerkleLog();
  epoch = 0;
  events = 0;
  moves = 0;
  /** Those of the last group. */
  steps: readonly Step[] = [];
  readonly #promises: PromiseKeeper;
  readonly #guests = new GuestKeeper();
  readonly tokens: TokenKeeper;

  constructor(document: TopologyDocument, shares: Shares = new Shares()) {
    this.tokens = new TokenKeeper(shares);
    this.#promises = new PromiseKeeper(document);
  }

  /** Takes in a group; what it says against the laws comes back as text. */
  enter(group: Group): string[] {
    const wrong: string[] = [];
    if (group.epoch < this.epoch)
      wrong.push(law(14, `a write of epoch ${group.epoch} after one of ${this.epoch}`));
    this.epoch = Math.max(this.epoch, group.epoch);
    const steps: Step[] = [];
    for (const event of group.events) {
      if (event.seq !== this.events + 1) wrong.push(`event ${event.seq} follows ${this.events}`);
      this.events = event.seq;
      if (event.type === 'circuit.moved') this.moves++;
      const { input, circuitId } = event;
      if (input === undefined || circuitId === undefined) continue;
      if (input.type === 'created') {
        if (this.circuits.has(circuitId)) wrong.push(`${circuitId} is created twice`);
        this.#put(input.circuit);
        steps.push({ event, before: undefined, after: input.circuit });
        continue;
      }
      const before = this.circuits.get(circuitId);
      const result = before === undefined ? undefined : step(before, input);
      if (result?.kind !== 'stepped') {
        wrong.push(`the stored ${input.type} of ${circuitId} changes nothing`);
        continue;
      }
      if (before !== undefined && isFinal(before.state)) wrong.push(`${circuitId} left ${before.state}`);
      this.#put(result.circuit);
      steps.push({ event, before, after: result.circuit });
    }
    this.steps = steps;
    wrong.push(...this.#audit(group));
    wrong.push(
      ...this.#promises.enter(group, steps, this.live),
      ...this.#guests.enter(group, steps, this.live),
      ...this.tokens.enter(group),
    );
    for (const { circuit } of group.circuits) {
      if (!isDeepStrictEqual(this.circuits.get(circuit.id), circuit))
        wrong.push(
          `${circuit.id} is stored ${circuit.state} r${circuit.revision} and its events say otherwise`,
        );
    }
    for (const effect of group.effects) this.effects.set(effect.seq, effect);
    for (const seq of group.effectsDone) this.effects.delete(seq);
    return wrong;
  }

  /** A device is told to light: is the order durable, and somebody's with a token? */
  lights({ circuit, version }: LightContext): string[] {
    const orders = [...this.effects.values()].filter(
      ({ circuitId, effect }) =>
        circuitId === circuit && effect.type === 'device.light' && effect.version === version,
    );
    const early = orders.length === 0 ? [`lights ${circuit} v${version} before the order is durable`] : [];
    return [...early, ...this.tokens.lights(this.circuits.get(circuit), version)];
  }

  /** Numbered without a gap, hashed as it is, tiles as the tree has them, and a record for each decision. */
  #audit({ audit, decisions }: Group): string[] {
    const wrong: string[] = [];
    const tiles: string[] = [];
    // Before the group's own records: only what was durable already may be signed.
    for (const { size, note } of audit.checkpoints) {
      const signed = readNote(note)?.checkpoint;
      if (size > this.log.size || signed?.size !== size || !signed.root.equals(this.log.root(size)))
        wrong.push(
          law(12, `a checkpoint of ${size} records is not that of the log, which has ${this.log.size}`),
        );
    }
    for (const { seq, leaf, text } of audit.rows) {
      if (seq !== this.log.size) wrong.push(`audit record ${seq} follows ${this.log.size - 1}`);
      const hash = leafHash(text);
      if (hash.toString('base64url') !== leaf) wrong.push(`audit record ${seq} has another hash`);
      const tile = this.log.append(hash);
      if (tile !== undefined) tiles.push(tile.hash.toString('base64url'));
    }
    if (
      !isDeepStrictEqual(
        audit.tiles.map((t) => t.hash),
        tiles,
      )
    )
      wrong.push('the tiles are not those of the log');
    const recorded = new Set(audit.rows.map((row) => row.decisionId));
    for (const { id } of decisions) if (!recorded.has(id)) wrong.push(`${id} is not in the audit log`);
    return wrong;
  }

  #put(circuit: Circuit): void {
    this.circuits.set(circuit.id, circuit);
    if (isFinal(circuit.state)) this.live.delete(circuit.id);
    else this.live.set(circuit.id, circuit);
  }
}
