import { createParser, type EventSourceMessage } from 'eventsource-parser';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type SseMessage, SseParser } from '../../src/cli/sse.ts';

test('a stream as the broker writes it', () => {
  const parser = new SseParser();
  expect(parser.push('retry: 2000\n: connected\n\nid: evt_1\nevent: turnpike.x\ndata: {"a"')).toEqual([]);
  expect(parser.push(':1}\n\n: heartbeat\n\n')).toEqual([
    { id: 'evt_1', event: 'turnpike.x', data: '{"a":1}' },
  ]);
  expect(parser.push('data: one\ndata:two\n\n')).toEqual([
    { id: 'evt_1', event: 'message', data: 'one\ntwo' },
  ]);
});

test('an event without end is given up', () => {
  const parser = new SseParser();
  expect(() => {
    for (let i = 0; i < 20; i++) parser.push('x'.repeat(100_000));
  }).toThrow('1 MiB');
});

test('however it is cut, it reads as another parser reads it whole', () => {
  const line = fc.oneof(
    fc.constantFrom(
      'data: a',
      'data:b',
      'data',
      'event: e',
      'event:',
      'id: 7',
      'id',
      ': c',
      '',
      'retry: 5',
      'odd',
    ),
    fc.string({ maxLength: 6 }).filter((s) => !/[\r\n\0\uFEFF]/.test(s)),
  );
  const stream = fc
    .array(fc.tuple(line, fc.constantFrom('\n', '\r\n', '\r')), { maxLength: 30 })
    .map((lines) => `${lines.map(([text, end]) => text + end).join('')}\n\n`);
  fc.assert(
    fc.property(stream, fc.array(fc.nat(), { maxLength: 8 }), (text, cuts) => {
      const whole: EventSourceMessage[] = [];
      createParser({ onEvent: (event) => whole.push(event) }).feed(text);
      const parser = new SseParser();
      const points = [0, ...cuts.map((cut) => cut % (text.length + 1)).sort((a, b) => a - b), text.length];
      const mine: SseMessage[] = points.slice(1).flatMap((to, i) => parser.push(text.slice(points[i], to)));
      expect(mine.map(({ event, data }) => [event, data])).toEqual(
        whole.map(({ event, data }) => [event ?? 'message', data]),
      );
    }),
    { numRuns: 500 },
  );
});
