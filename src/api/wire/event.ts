/** An event as it is served, and how a client says which events it means. The mapping itself is the model's. */
import { Type } from 'typebox';
import type { PublicType } from '../../broker/ports.ts';
import { eventSeq } from '../../kernel/ids.ts';
import { type EventType, eventType, eventTypes } from '../../model/cloudevent.ts';
import { idSchema, invalid, Time } from './common.ts';

/** The list must name every type that the broker writes. */
const publicTypes: readonly PublicType[] = eventTypes satisfies readonly PublicType[] &
  (Exclude<PublicType, EventType> extends never ? unknown : never);

export const EventSchema = Type.Object(
  {
    specversion: Type.Literal('1.0'),
    id: idSchema('evt', 'Ids sort as the events happened'),
    source: Type.String({ format: 'uri-reference', description: 'The domain and the collection' }),
    type: Type.Enum(publicTypes),
    subject: Type.Optional(Type.String({ description: 'The circuit' })),
    time: Time,
    datacontenttype: Type.Literal('application/json'),
    data: Type.Object(
      {
        project: Type.Optional(Type.String()),
        circuit_id: Type.Optional(Type.String()),
        state: Type.Optional(Type.String()),
        revision: Type.Optional(Type.Integer()),
      },
      { additionalProperties: true, description: 'What happened, in the words of the resource' },
    ),
  },
  { $id: 'Event', description: 'CloudEvents 1.0' },
);

export const TypesSchema = Type.Array(Type.String({ minLength: 1, maxLength: 200 }), {
  maxItems: 64,
  description: 'Event types; "circuit.*" means all of them',
});

/** Types as a client writes them; undefined means all. Unknown ones are refused: they would never come. */
export function readTypes(given: readonly string[] | undefined, pointer: string): EventType[] | undefined {
  if (given === undefined || given.length === 0) return undefined;
  const found = new Set<EventType>();
  for (const [i, text] of given.entries()) {
    if (text === '*') return undefined;
    const family = /^([a-z]+\.)\*$/.exec(text)?.[1];
    const one = eventType(text);
    const meant =
      family === undefined
        ? one === undefined
          ? []
          : [one]
        : eventTypes.filter((type) => type.startsWith(family));
    if (meant.length === 0) {
      throw invalid(pointer.startsWith('/') ? `${pointer}/${i}` : pointer, 'is not a type of event');
    }
    for (const type of meant) found.add(type);
  }
  return [...found];
}

/** The place in the log that an event id names. */
export function readEventSeq(text: string, pointer: string): number {
  const seq = eventSeq(text);
  if (seq === undefined) throw invalid(pointer, 'is not the id of an event');
  return seq;
}
