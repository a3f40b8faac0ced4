/**
 * Several circuits as one: all or none, in the order that their owner gave them, apart from each other where
 * he asked for it. The network knows the whole flight plan before it answers.
 */
import type { Facts } from '../../aaa/decide.ts';
import { BrokerError, type FieldError } from '../../kernel/errors.ts';
import { newId, type SetId } from '../../kernel/ids.ts';
import type { Random } from '../../kernel/random.ts';
import { fromSeconds, toSeconds } from '../../model/capacity.ts';
import { type Circuit, isFinal } from '../../model/circuit.ts';
import type { HomeEvent } from '../../model/events.ts';
import { type Member, placeSet } from '../../scheduler/laxity/sets.ts';
import { factsOf } from '../aaa/facts.ts';
import type { Call, SetMemberAsk, SetResult } from '../calls.ts';
import type { SetRecord } from '../ports.ts';
import type { Term } from '../term.ts';
import { isLocked } from '../tokens/padlock.ts';
import type { Tx } from '../tx.ts';
import { StoredRefusal } from '../writer.ts';
import { invalid, stale } from './actions.ts';
import { askOf, problemOf, slotOf } from './place.ts';
import { isOurs, type Wish } from './plan.ts';
import { type Admission, admit, fixedSlot, prepare, refusedThen, seat } from './request.ts';

export function createSet(
  tx: Tx,
  term: Term,
  random: Random,
  call: Call,
  members: readonly SetMemberAsk[],
): SetResult | StoredRefusal {
  const keys = new Set<string>();
  const refs = new Set<string>();
  members.forEach((member, i) => {
    if (keys.has(member.key)) throw invalid(`/circuits/${i}/key`, `${member.key} is there twice`);
    keys.add(member.key);
    const { project, clientRef } = member.request;
    if (clientRef === undefined) return;
    const ref = JSON.stringify([project, clientRef]);
    if (refs.has(ref)) throw invalid(`/circuits/${i}/client_ref`, `${clientRef} is there twice`);
    refs.add(ref);
  });
  members.forEach(({ key, after, diverse = [] }, i) => {
    for (const other of [...(after === undefined ? [] : [after]), ...diverse]) {
      if (!keys.has(other) || other === key)
        throw invalid(
          `/circuits/${i}/${other === after ? 'after' : 'diverse'}`,
          `there is no other circuit ${other} in the set`,
        );
    }
  });
  const id = newId('set', tx.now, random);
  const project = members[0]?.request.project ?? '';
  const decision = term.authoriser.ask(tx, {
    ...call,
    action: 'set.create',
    project,
    facts: { ...factsOfSet(tx, members), circuits: members.length },
  });
  if (decision.denied !== undefined) return new StoredRefusal(decision.denied);
  const alone = members.every(
    ({ request }) => request.schedule.type !== 'VOLUME' && isOurs(tx.ground, request),
  );
  if (!alone && members.some((member) => member.after !== undefined || (member.diverse ?? []).length > 0)) {
    throw new BrokerError(
      'NOT_SUPPORTED',
      'order and diversity among circuits that are volumes or go to other domains',
    );
  }
  const circuits = alone ? admitTogether(tx, term, random, call, members, id) : [];
  if (!Array.isArray(circuits)) {
    tx.reset();
    return circuits;
  }
  for (const [i, member] of alone ? [] : members.entries()) {
    const admitted = admitMember(tx, term, random, call, member, i, id);
    if ('denied' in admitted) {
      tx.reset();
      return new StoredRefusal(admitted.denied);
    }
    circuits.push(admitted.circuit);
  }
  const set: SetRecord = {
    id,
    project,
    owner: call.principal.id,
    revision: 1,
    createTime: tx.now,
    members: circuits.map((circuit, i) => ({ key: members[i]?.key ?? '', circuitId: circuit.id })),
  };
  tx.sets.push(set);
  return { set, circuits };
}

/** The first stands for all, and with the others beside it for their sum; each is asked about by itself later. */
function factsOfSet(tx: Tx, members: readonly SetMemberAsk[]): Facts {
  const [first, ...siblings] = members.map(({ key, request }, i) => ({
    request,
    slot: named(i, key, () => fixedSlot(request, tx.now)),
  }));
  return first === undefined ? {} : factsOf(tx, 'set.create', first.request, { slot: first.slot, siblings });
}

/** All of ours, placed by the engine as one; then entered one after the other, each with the moves it needs. */
function admitTogether(
  tx: Tx,
  term: Term,
  random: Random,
  call: Call,
  members: readonly SetMemberAsk[],
  setId: SetId,
): Circuit[] | StoredRefusal {
  const asked: {
    readonly member: SetMemberAsk;
    readonly admission: Admission;
    readonly id: Circuit['id'];
    readonly wish: Wish;
    readonly decisionId: string;
  }[] = [];
  for (const [i, member] of members.entries()) {
    const admission: Admission = { ...call, request: member.request, setId, setKey: member.key };
    const siblings = asked.map(({ member: { request } }) => ({ request, slot: fixedSlot(request, tx.now) }));
    const ready = named(i, member.key, () => prepare(tx, term.authoriser, random, admission, siblings));
    if ('denied' in ready) return new StoredRefusal(ready.denied);
    asked.push({ member, admission, ...ready });
  }
  const flight = asked.map(
    ({ member, id, wish }): Member => ({
      key: member.key,
      ask: askOf(id, member.request, wish, tx.now),
      ...(member.after === undefined ? {} : { after: member.after }),
      ...(member.gapS === undefined ? {} : { gap: member.gapS }),
      ...(member.diverse === undefined ? {} : { diverse: member.diverse }),
    }),
  );
  const placed = placeSet(tx.book.fleet, flight, toSeconds(tx.now));
  if (!placed.placed) {
    const at = members.findIndex((member) => member.key === placed.key);
    const wish = asked[at]?.wish;
    if (wish === undefined)
      throw new BrokerError('NO_FEASIBLE_SLOT', placed.refused.detail, { proof: 'BUDGET_SPENT' });
    return named(at, placed.key, () => {
      throw problemOf(placed.refused, wish, undefined);
    });
  }
  const ordered = members.some((member) => member.after !== undefined);
  const made = new Map<string, Circuit>();
  for (const one of placed.members) {
    const found = asked.find(({ member }) => member.key === one.key);
    if (found === undefined) continue;
    const bounds = { start: fromSeconds(one.ask.notBefore), end: fromSeconds(one.ask.deadline) };
    const denied = refusedThen(tx, term.authoriser, found.admission, found, slotOf(one.seat, found.wish));
    if (denied !== undefined) return new StoredRefusal(denied);
    made.set(
      one.key,
      seat(tx, random, found, {
        seat: one.seat,
        moves: one.moves,
        ...(ordered ? { bounds } : {}),
        constraints: one.ask.constraints ?? {},
      }),
    );
  }
  return members.flatMap((member) => made.get(member.key) ?? []);
}

/** A refusal of one member refuses all, and says which. */
function named<T>(i: number, key: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    const inner = error.details.errors ?? [{ pointer: '', detail: error.message }];
    const errors = inner.map(
      ({ pointer, detail }): FieldError => ({ pointer: `/circuits/${i}${pointer}`, detail }),
    );
    throw new BrokerError(
      error.code,
      `circuit ${key}: ${error.message}`,
      { ...error.details, errors },
      { cause: error },
    );
  }
}

function admitMember(
  tx: Tx,
  term: Term,
  random: Random,
  call: Call,
  member: SetMemberAsk,
  i: number,
  setId: SetRecord['id'],
): ReturnType<typeof admit> {
  return named(i, member.key, () =>
    admit(tx, term.authoriser, random, {
      ...call,
      request: member.request,
      setId,
      setKey: member.key,
    }),
  );
}

export function actOnSet(
  tx: Tx,
  term: Term,
  call: Call,
  stored: SetResult,
  action: 'commit' | 'abort' | 'cancel',
  revision: number | undefined,
): SetResult | StoredRefusal {
  const { set } = stored;
  if (revision !== undefined && revision !== set.revision) throw stale(set.revision);
  const decision = term.authoriser.ask(tx, {
    ...call,
    action: `set.${action}`,
    project: set.project,
    facts: { circuits: set.members.length, owner: set.owner === call.principal.id },
  });
  if (decision.denied !== undefined) return new StoredRefusal(decision.denied);
  // The writer forgets what has ended; the store does not.
  const kept = new Map(stored.circuits.map((circuit) => [circuit.id, circuit]));
  const circuits: Circuit[] = [];
  let changed = false;
  for (const { circuitId, key } of set.members) {
    const circuit = tx.book.circuits.get(circuitId) ?? kept.get(circuitId);
    if (circuit === undefined) continue;
    if (isFinal(circuit.state)) {
      if (action === 'cancel') {
        circuits.push(circuit);
        continue;
      }
      throw new BrokerError('WRONG_STATE', `circuit ${key} of the set has ended`, {
        allowed_actions: ['cancel'],
      });
    }
    if (action === 'cancel' && term.tokens !== undefined && call.override === undefined) {
      if (isLocked(circuit, 'cancel'))
        throw new BrokerError(
          'TOKEN_REQUIRED',
          `circuit ${key} of the set is MANUAL and lit: its token ends it`,
        );
    }
    const event: HomeEvent =
      action === 'cancel'
        ? { type: 'cancel', detail: 'its set was cancelled', at: tx.now }
        : { type: action, at: tx.now };
    circuits.push(tx.apply(circuitId, event, decision.id) ?? circuit);
    changed = true;
  }
  if (!changed) return { set, circuits };
  const next: SetRecord = { ...set, revision: set.revision + 1 };
  tx.sets.push(next);
  return { set: next, circuits };
}
