import { describe, expect, it } from 'vitest';
import { BACK_OFF_MS } from '../../src/notify/deliver.ts';
import type { SendOutcome } from '../../src/notify/send.ts';
import { calm } from '../support/handClock.ts';
import { aHook, anEvent, World } from './world.ts';

const failed = (over: Partial<SendOutcome> = {}): SendOutcome =>
  ({ kind: 'failed', error: 'HTTP 500', ...over }) as SendOutcome; // the kind may be replaced with its fields

describe('the delivery of webhooks', () => {
  it('begins behind the cursor, keeps the order and stores how far it has come', async () => {
    const world = new World(aHook('one', { cursor: 2 }));
    world.log.push(...[1, 2, 3, 4, 5].map((seq) => anEvent(seq)));
    world.deliverer().start();
    await calm();
    expect(world.story).toEqual(['0s one 3', '0s one 4', '0s one 5']);
    expect(world.hook('one')).toMatchObject({ cursor: 5, failures: 0, state: 'ENABLED' });
  });

  it('goes on with what comes later, and finds hooks that were made later', async () => {
    const world = new World(aHook('one'));
    world.deliverer().start();
    await calm();
    world.publish(anEvent(1));
    await calm();
    world.hooks.set('whk_two', aHook('two', { cursor: 1 }));
    world.publish(anEvent(2));
    await calm();
    expect(world.story.toSorted()).toEqual(['0s one 1', '0s one 2', '0s two 2']);
  });

  it('reads a long log in batches, each event once', async () => {
    const world = new World(aHook('one'));
    world.log.push(...Array.from({ length: 230 }, (_, i) => anEvent(i + 1)));
    world.deliverer().start();
    for (let i = 0; i < 60; i++) await calm();
    expect(world.calls).toHaveLength(230);
    expect(new Set(world.calls.map((call) => call.event)).size).toBe(230);
    expect(world.reads).toBeLessThanOrEqual(6);
    expect(world.hook('one').cursor).toBe(230);
  });

  it('passes over what the hook did not ask for without reading it again or writing each time', async () => {
    const world = new World(aHook('one', { types: ['circuit.failed'] }));
    world.deliverer().start();
    await calm();
    for (let seq = 1; seq <= 100; seq++) {
      world.publish(anEvent(seq));
      await calm();
    }
    expect(world.calls).toEqual([]);
    expect(world.writes).toBe(0);
    expect(world.reads).toBe(100);
    world.publish(anEvent(101, { type: 'circuit.failed' }));
    await calm();
    expect(world.hook('one').cursor).toBe(101);
  });

  it('stores a cursor that is a thousand events of others ahead', async () => {
    const world = new World(aHook('one', { types: ['circuit.failed'] }));
    world.log.push(...Array.from({ length: 1_000 }, (_, i) => anEvent(i + 1)));
    world.deliverer().start();
    await calm();
    expect(world.hook('one').cursor).toBe(1_000);
  });

  it('a slow hook delays nobody else', async () => {
    const world = new World(aHook('slow'), aHook('quick'));
    world.answers.set('slow', () => new Promise(() => {}));
    world.deliverer().start();
    for (let seq = 1; seq <= 20; seq++) world.publish(anEvent(seq));
    await calm();
    await calm();
    expect(world.calls.filter((call) => call.hook === 'slow')).toHaveLength(1);
    expect(world.calls.filter((call) => call.hook === 'quick')).toHaveLength(20);
  });

  it('a failing hook is tried again with growing waits, on the same event, and recovers', async () => {
    const world = new World(aHook('one'));
    let left = 3;
    world.answers.set('one', () => (left-- > 0 ? failed() : { kind: 'delivered' }));
    world.log.push(anEvent(1), anEvent(2));
    world.deliverer().start();
    await calm();
    expect(world.hook('one')).toMatchObject({ cursor: 0, failures: 1, lastError: 'HTTP 500' });
    await world.clock.advance(300_000);
    expect(world.calls.map((call) => call.event)).toEqual(['1', '1', '1', '1', '2']);
    const waits = world.calls.slice(1, 4).map((call, i) => call.at - (world.calls[i]?.at ?? 0));
    for (const [i, wait] of waits.entries()) {
      expect(wait).toBeGreaterThanOrEqual(BACK_OFF_MS[i] as number);
      expect(wait).toBeLessThanOrEqual((BACK_OFF_MS[i] as number) * 1.1);
    }
    expect(world.hook('one')).toMatchObject({ cursor: 2, failures: 0 });
    expect(world.hook('one').lastError).toBeUndefined();
  });

  it('news does not cut a back-off short', async () => {
    const world = new World(aHook('one'));
    world.answers.set('one', () => failed());
    world.publish(anEvent(1));
    world.deliverer().start();
    await calm();
    for (let seq = 2; seq < 10; seq++) world.publish(anEvent(seq));
    await calm();
    expect(world.calls).toHaveLength(1);
  });

  it('is given up after a bounded time, about a day', async () => {
    const world = new World(aHook('one'), aHook('two'));
    world.answers.set('one', () => failed());
    world.log.push(anEvent(1));
    world.deliverer().start();
    await world.clock.advance(23 * 3_600_000);
    expect(world.hook('one').state).toBe('ENABLED');
    await world.clock.advance(4 * 3_600_000);
    expect(world.hook('one')).toMatchObject({ state: 'DISABLED', failures: 11, cursor: 0 });
    expect(world.calls.filter((call) => call.hook === 'one')).toHaveLength(BACK_OFF_MS.length + 1);
    expect(world.logged).toContainEqual({ event: 'webhook.disabled', webhook: 'whk_one' });
    world.publish(anEvent(2));
    await world.clock.advance(24 * 3_600_000);
    expect(world.calls.filter((call) => call.hook === 'one')).toHaveLength(BACK_OFF_MS.length + 1);
    expect(world.hook('two')).toMatchObject({ state: 'ENABLED', cursor: 2 });
  });

  it('a receiver that says 410 is not called again', async () => {
    const world = new World(aHook('one'));
    world.answers.set('one', () => ({ kind: 'gone', error: 'HTTP 410' }));
    world.log.push(anEvent(1));
    world.deliverer().start();
    await calm();
    expect(world.hook('one')).toMatchObject({ state: 'DISABLED', lastError: 'HTTP 410' });
    await world.clock.advance(48 * 3_600_000);
    expect(world.calls).toHaveLength(1);
  });

  it.each([
    ['longer than ours, is kept to', 60, 60_000],
    ['shorter than ours, is not', 1, 5_000],
    ['of a year, is cut to an hour', 31_536_000, 3_600_000],
  ])('a wait that the receiver asks for, %s', async (_name, retryAfterS, waitMs) => {
    const world = new World(aHook('one'));
    world.answers.set('one', () => failed({ retryAfterS }));
    world.log.push(anEvent(1));
    world.deliverer().start();
    await world.clock.advance(waitMs - 1);
    expect(world.calls).toHaveLength(1);
    await world.clock.advance(waitMs * 0.1 + 1);
    expect(world.calls).toHaveLength(2);
  });

  it('a hook that was deleted is not called again', async () => {
    const world = new World(aHook('one'));
    world.answers.set('one', () => failed());
    world.log.push(anEvent(1));
    world.deliverer().start();
    await calm();
    world.hooks.clear();
    await world.clock.advance(48 * 3_600_000);
    expect(world.calls).toHaveLength(1);
  });

  it('begins when this instance begins to lead, without waiting for an event', async () => {
    const world = new World();
    world.log.push(anEvent(1), anEvent(2));
    world.deliverer().start();
    await calm();
    world.hooks.set('whk_one', aHook('one'));
    await world.clock.advance(5_000);
    expect(world.story).toEqual(['5s one 1', '5s one 2']);
  });

  it('does not repeat what another instance delivered while it led', async () => {
    const world = new World(aHook('one'));
    world.deliverer().start();
    world.publish(anEvent(1));
    await calm();
    world.log.push(anEvent(2), anEvent(3));
    world.hooks.set('whk_one', aHook('one', { cursor: 3 }));
    world.publish(anEvent(4));
    await calm();
    expect(world.calls.map((call) => call.event)).toEqual(['1', '4']);
  });

  it('goes on after a restart where it was, and restarts do not use up the attempts', async () => {
    const world = new World(aHook('one'));
    world.answers.set('one', () => failed());
    world.log.push(anEvent(1));
    for (let i = 0; i < 30; i++) {
      const deliverer = world.deliverer();
      deliverer.start();
      await calm();
      await deliverer.stop();
    }
    expect(world.hook('one')).toMatchObject({ state: 'ENABLED', failures: 1 });
    world.answers.delete('one');
    world.deliverer().start();
    await calm();
    expect(world.hook('one')).toMatchObject({ cursor: 1, failures: 0 });
  });

  it('a stop lets the call under way end, stores the cursor and leaves no alarm behind', async () => {
    const world = new World(aHook('one'), aHook('waiting'));
    let answer: (outcome: SendOutcome) => void = () => {};
    world.answers.set('one', () => new Promise((resolve) => (answer = resolve)));
    world.answers.set('waiting', () => failed());
    world.log.push(anEvent(1), anEvent(2));
    const deliverer = world.deliverer();
    deliverer.start();
    await calm();
    const stopped = deliverer.stop();
    await calm();
    answer({ kind: 'delivered' });
    await stopped;
    expect(world.calls.filter((call) => call.hook === 'one')).toHaveLength(1);
    expect(world.hook('one').cursor).toBe(1);
    expect(world.clock.waiting).toBe(0);
  });

  it('a stop cuts off a call that does not end; the receiver has not failed, and is called again', async () => {
    const world = new World(aHook('one'));
    world.answers.set(
      'one',
      (signal) =>
        new Promise((resolve) => signal.addEventListener('abort', () => resolve(failed({ kind: 'failed' })))),
    );
    world.log.push(anEvent(1));
    const deliverer = world.deliverer();
    deliverer.start();
    await calm();
    const stopped = deliverer.stop();
    await world.clock.advance(2_000);
    await stopped;
    expect(world.hook('one')).toMatchObject({ cursor: 0, failures: 0 });
    world.answers.delete('one');
    world.deliverer().start();
    await calm();
    expect(world.calls.map((call) => call.event)).toEqual(['1', '1']);
  });

  it('waits while its own store is away, and does not hold that against the receiver', async () => {
    const world = new World(aHook('one'));
    world.storeError = new Error('no answer from the database');
    world.log.push(anEvent(1));
    world.deliverer().start();
    await world.clock.advance(60_000);
    expect(world.calls).toEqual([]);
    world.storeError = undefined;
    await world.clock.advance(5_000);
    expect(world.hook('one')).toMatchObject({ cursor: 1, failures: 0 });
  });

  it('a full store neither hurries the calls nor repeats what was delivered', async () => {
    const world = new World(aHook('good'), aHook('bad'));
    world.answers.set('bad', () => failed());
    world.writeError = new Error('full');
    world.log.push(anEvent(1));
    world.deliverer().start();
    await world.clock.advance(100_000);
    expect(world.calls.filter((call) => call.hook === 'good')).toHaveLength(1);
    expect(world.calls.filter((call) => call.hook === 'bad')).toHaveLength(3);
    world.writeError = undefined;
    world.answers.clear();
    world.publish(anEvent(2));
    await world.clock.advance(300_000);
    expect(world.calls.filter((call) => call.hook === 'good')).toHaveLength(2);
    expect(world.hook('good').cursor).toBe(2);
    expect(world.hook('bad').cursor).toBe(2);
  });
});
