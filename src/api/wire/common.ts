/**
 * What all resources share on the wire: times, ids, pages, ETags and the problem document, each as a schema
 * and the functions that read and write it. Reading throws INVALID_REQUEST with the place at fault.
 */
import { type Static, type TSchema, Type } from 'typebox';
import { ref } from '../../http/schema.ts';
import { type InstantMs, instant } from '../../kernel/clock.ts';
import { BrokerError, problems } from '../../kernel/errors.ts';
import type { IdPrefix } from '../../kernel/ids.ts';

/** Ten years: what the calendars reach, and so the longest thing that can be asked for. */
export const LONGEST_S = 10 * 366 * 86_400;

export function invalid(pointer: string, detail: string): BrokerError {
  const where = pointer === '' ? 'the body' : pointer;
  return new BrokerError('INVALID_REQUEST', `${where} ${detail}`, { errors: [{ pointer, detail }] });
}

// ---- times -----------------------------------------------------------------------------------------------

export const Time = Type.String({
  format: 'date-time',
  maxLength: 35,
  description: 'RFC 3339 with an offset, whole seconds',
});

const RFC3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d\d):(\d\d))$/;

/** Reads what the schema has found to look like a time; there are no 30th of February and no fractions. */
export function readTime(text: string, pointer: string): InstantMs {
  const match = RFC3339.exec(text);
  if (match === null) throw invalid(pointer, 'must be a time as RFC 3339 has it');
  const [, y, mo, d, h, mi, s, fraction = '0', sign, oh = '0', om = '0'] = match;
  const [year, month, day] = [Number(y), Number(mo), Number(d)];
  if (year < 1970) throw invalid(pointer, 'lies before 1970');
  if (month < 1 || month > 12 || day < 1 || day > new Date(Date.UTC(year, month, 0)).getUTCDate()) {
    throw invalid(pointer, 'is not a day of the calendar');
  }
  if (Number(h) > 23 || Number(mi) > 59 || Number(s) > 59) throw invalid(pointer, 'is not a time of day');
  if (Number(fraction) !== 0) throw invalid(pointer, 'must be in whole seconds');
  const offset = (Number(oh) * 60 + Number(om)) * 60_000 * (sign === '-' ? -1 : 1);
  return instant(Date.UTC(year, month - 1, day, Number(h), Number(mi), Number(s)) - offset);
}

// ---- text ------------------------------------------------------------------------------------------------

/** Text that a column is compared with: databases refuse NUL, and nothing that we keep holds a control. */
export const ColumnText = (maxLength: number) =>
  Type.String({ maxLength, pattern: '^[^\\u0000-\\u001f\\u007f]*$' });

// ---- ids and ETags ---------------------------------------------------------------------------------------

export const idSchema = (prefix: IdPrefix | 'evt', what: string) =>
  Type.String({ pattern: `^${prefix}_[0-9a-z]{11,26}$`, maxLength: 32, description: what });

/** Ids in paths are not checked by schema: what is no id names nothing, and that is a 404. */
export const IdParams = Type.Object({ id: Type.String() });

/** The id, if it can be one at all. The template type is what the prefix and the pattern have just shown. */
export function readId<P extends IdPrefix>(prefix: P, text: string): `${P}_${string}` {
  if (!text.startsWith(`${prefix}_`) || !/^[0-9a-z]{26}$/.test(text.slice(prefix.length + 1))) {
    throw new BrokerError('NOT_FOUND', 'there is no such resource, or it is not yours to see');
  }
  return text as `${P}_${string}`;
}

export const etagOf = (revision: number, variant?: string): string =>
  variant === undefined ? `"${revision}"` : `"${revision}-${variant}"`;

/** Stands for an ETag that was well formed and is not one of ours: no resource has this revision. */
const NO_REVISION = -1;

/** The revision that an If-Match names; undefined where there is none, or any will do. */
export function readIfMatch(header: string | undefined, required = false): number | undefined {
  if (header === undefined) {
    if (!required) return undefined;
    throw new BrokerError('PRECONDITION_REQUIRED', 'send If-Match with the ETag of what you have read');
  }
  const text = header.trim();
  if (text === '*') return undefined;
  const match = /^(W\/)?"([\x21\x23-\x7e]{0,64})"$/.exec(text);
  if (match === null) throw invalid('If-Match', 'must be one ETag, or *');
  const named = /^(\d{1,15})(?:-[a-z]{1,16})?$/.exec(match[2] as string);
  const revision = named === null ? NO_REVISION : Number(named[1]);
  // A weak one never matches (RFC 9110, section 13.1.1).
  return match[1] === undefined ? revision : NO_REVISION;
}

// ---- lists -----------------------------------------------------------------------------------------------

export const pageQuery = {
  page_size: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 500, default: 50, description: 'How many items a page has at most' }),
  ),
  page_token: Type.Optional(
    Type.String({ minLength: 1, maxLength: 512, description: '`next_page_token` of the page before' }),
  ),
};

export const readPage = (query: {
  readonly page_size?: number;
  readonly page_token?: string;
}): { readonly limit: number; readonly after?: string } => ({
  limit: query.page_size ?? 50,
  ...(query.page_token === undefined ? {} : { after: query.page_token }),
});

/** `{items, next_page_token?}` of a named schema. */
export const listOf = <T extends TSchema & { readonly $id?: string }>(item: T) =>
  Type.Object({ items: Type.Array(ref(item)), next_page_token: Type.Optional(Type.String()) });

export const pageToWire = <T, W>(
  page: { readonly items: readonly T[]; readonly next?: string },
  toWire: (item: T) => W,
): { items: W[]; next_page_token?: string } => ({
  items: page.items.map(toWire),
  ...(page.next === undefined ? {} : { next_page_token: page.next }),
});

/** A page of a list that is small enough to be at hand whole; the token is the last key of the page before. */
export function pageInMemory<T>(
  all: readonly T[],
  keyOf: (item: T) => string,
  query: { readonly page_size?: number; readonly page_token?: string },
): { items: T[]; next_page_token?: string } {
  const { limit, after } = readPage(query);
  const last = after === undefined ? undefined : Buffer.from(after, 'base64url').toString('utf8');
  const rest = [...all]
    .sort((x, y) => (keyOf(x) < keyOf(y) ? -1 : 1))
    .filter((item) => last === undefined || keyOf(item) > last);
  const items = rest.slice(0, limit);
  const end = items.at(-1);
  return {
    items,
    ...(end === undefined || rest.length <= limit
      ? {}
      : { next_page_token: Buffer.from(keyOf(end), 'utf8').toString('base64url') }),
  };
}

/** Of every mutation. */
export const ValidateOnly = {
  validate_only: Type.Optional(
    Type.Boolean({ default: false, description: 'Answer as the real call would, and change nothing' }),
  ),
};
export const MutationQuery = Type.Object(ValidateOnly, { additionalProperties: false });
export const NoQuery = Type.Object({}, { additionalProperties: false });
/** The body of a verb that needs none. */
export const NoBody = Type.Object({}, { additionalProperties: false });

// ---- problems --------------------------------------------------------------------------------------------

const names = Object.keys(problems) as (keyof typeof problems)[];

export const FieldErrorSchema = Type.Object(
  {
    pointer: Type.String({ description: 'RFC 6901 pointer into the body, or the name of a parameter' }),
    detail: Type.String(),
  },
  { $id: 'FieldError' },
);

export const BottleneckSchema = Type.Object(
  {
    kind: Type.Enum(['LINK', 'PORT', 'LABEL', 'NODE', 'NO_ROUTE']),
    id: Type.String(),
    free_mbps: Type.Optional(Type.Integer()),
    needed_mbps: Type.Optional(Type.Integer()),
    start_time: Type.Optional(Time),
    end_time: Type.Optional(Time),
    detail: Type.Optional(Type.String()),
  },
  { $id: 'Bottleneck', description: 'What blocks, when, and how much of it is free there' },
);

export const AlternativeSchema = Type.Object(
  {
    start_time: Time,
    end_time: Type.Optional(Time),
    bandwidth_mbps: Type.Integer(),
  },
  { $id: 'Alternative', description: 'Something that could be booked instead' },
);

/** What rules see: flat, and lists of names. */
export const seenSchema = (description: string) =>
  Type.Record(
    Type.String(),
    Type.Union([Type.String(), Type.Number(), Type.Boolean(), Type.Array(Type.String())]),
    { description },
  );
export type Seen = Static<ReturnType<typeof seenSchema>>;

export const NeededSchema = Type.Object(
  {
    rule: Type.String(),
    effect: Type.Enum(['permit', 'forbid'], {
      description: 'Of a permit, the clause did not hold; of a forbid, it had to be otherwise',
    }),
    clause: Type.String({ description: 'As the policy has it' }),
    values: seenSchema('By the names of docs/POLICY.md'),
  },
  { $id: 'Needed', description: 'A clause of the policy that stood in the way, and what it saw' },
);

export const ProblemSchema = Type.Object(
  {
    type: Type.String({ format: 'uri' }),
    title: Type.String(),
    status: Type.Integer({ minimum: 400, maximum: 599 }),
    code: Type.Enum(names, { description: 'Stable; see docs/ERRORS.md' }),
    detail: Type.String(),
    request_id: Type.Optional(Type.String()),
    errors: Type.Optional(Type.Array(ref(FieldErrorSchema))),
    decision_id: Type.Optional(Type.String({ description: 'What the policy was asked, and answered' })),
    rules: Type.Optional(
      Type.Array(Type.String(), { description: 'Rules of the policy that said no; none: no rule said yes' }),
    ),
    needed: Type.Optional(Type.Array(ref(NeededSchema))),
    bottlenecks: Type.Optional(Type.Array(ref(BottleneckSchema))),
    alternatives: Type.Optional(Type.Array(ref(AlternativeSchema))),
    proof: Type.Optional(Type.Enum(['PROVEN_IMPOSSIBLE', 'BUDGET_SPENT'])),
    quota: Type.Optional(
      Type.Object(
        {
          id: Type.Optional(Type.String()),
          kind: Type.Enum(['CIRCUITS', 'BANDWIDTH', 'VOLUME', 'BALANCE']),
          limit: Type.Integer(),
          needed: Type.Integer({ description: 'With what was asked for' }),
          period: Type.Optional(Type.String({ description: 'The day, month or year at fault' })),
        },
        { description: 'The limit that would be passed: circuits, Mb/s or Mbit' },
      ),
    ),
    circuits: Type.Optional(
      Type.Array(
        Type.Object({
          circuit_id: Type.String(),
          start_time: Type.Optional(Time),
          end_time: Type.Optional(Time),
        }),
        { description: 'Circuits that stand in the way' },
      ),
    ),
    domain: Type.Optional(Type.String()),
    allowed_actions: Type.Optional(Type.Array(Type.String())),
    retry_after_s: Type.Optional(Type.Integer()),
    token_reason: Type.Optional(Type.String({ description: 'Why a circuit token was not accepted' })),
  },
  {
    $id: 'Problem',
    description: 'RFC 9457, served as application/problem+json',
    examples: [
      {
        type: 'urn:turnpike:problem:NO_FEASIBLE_SLOT',
        title: 'No path with enough capacity in the window',
        status: 409,
        code: 'NO_FEASIBLE_SLOT',
        detail: 'link ams-1 has 2000 Mb/s free in the window, 5000 are asked for',
        request_id: 'req_01m7vjz7sh2w1hw8gq0tm5f63q',
        bottlenecks: [
          {
            kind: 'LINK',
            id: 'ams-1',
            free_mbps: 2000,
            needed_mbps: 5000,
            start_time: '2027-03-01T05:00:00Z',
            end_time: '2027-03-01T07:00:00Z',
          },
        ],
        alternatives: [
          {
            start_time: '2027-03-01T07:00:00Z',
            end_time: '2027-03-01T09:00:00Z',
            bandwidth_mbps: 5000,
          },
        ],
        proof: 'PROVEN_IMPOSSIBLE',
      },
    ],
  },
);
