/**
 * Every way the broker says no: a stable code, its HTTP status, a title and what the asker can do about it.
 * docs/ERRORS.md lists the same codes and a test compares the two. The code is the contract; the detail is
 * for people and may change.
 */

export const problems = {
  INVALID_REQUEST: {
    status: 400,
    title: 'The request is malformed',
    help: 'Correct the fields named in errors[].',
  },
  START_IN_PAST: {
    status: 400,
    title: 'The start lies in the past',
    help: 'Use a later start_time, or NOW.',
  },
  UNAUTHENTICATED: {
    status: 401,
    title: 'No valid credentials',
    help: 'Send Authorization: Bearer with a token of a configured issuer.',
  },
  TOKEN_INVALID: {
    status: 401,
    title: 'The circuit token is not accepted',
    help: 'See token_reason; ask its issuer for another with POST /v1/tokens.',
  },
  TOKEN_REQUIRED: {
    status: 403,
    title: 'This needs the token of the circuit',
    help: 'Send Authorization: CCT with the token and a proof by its holder; operators may override with a reason.',
  },
  TOKEN_REFUSED: {
    status: 403,
    title: 'The circuit token does not open this',
    help: 'See token_reason: it covers less than is asked, or it has been used up.',
  },
  POLICY_DENIED: {
    status: 403,
    title: 'Policy does not allow this',
    help: 'See needed[], or ask GET /v1/decisions/{decision_id} which rules decided and what they saw.',
  },
  QUOTA_EXCEEDED: {
    status: 403,
    title: 'A quota of the project is used up',
    help: 'Release something, or ask for a larger quota.',
  },
  CLOCK_SKEW: {
    status: 403,
    title: 'The clocks of the two domains are too far apart',
    help: 'Set them by NTP or PTP; peers whose clocks differ by more than 30 s are not listened to.',
  },
  NOT_FOUND: { status: 404, title: 'No such resource', help: 'It does not exist, or is not yours to see.' },
  REQUEST_TIMEOUT: { status: 408, title: 'The request came too slowly', help: 'Send it again.' },
  METHOD_NOT_ALLOWED: {
    status: 405,
    title: 'The resource does not know this method',
    help: 'See /openapi.json.',
  },
  NOT_ACCEPTABLE: {
    status: 406,
    title: 'None of the accepted formats is served',
    help: 'Accept application/json.',
  },
  NO_FEASIBLE_SLOT: {
    status: 409,
    title: 'No path with enough capacity in the window',
    help: 'See bottlenecks[] and alternatives[].',
  },
  WRONG_STATE: {
    status: 409,
    title: 'The circuit cannot do that in its present state',
    help: 'See allowed_actions[].',
  },
  CHANGE_PENDING: {
    status: 409,
    title: 'Another change of this circuit is under way',
    help: 'Wait until it is agreed or dropped.',
  },
  CLIENT_REF_TAKEN: {
    status: 409,
    title: 'Another circuit of the project carries this client_ref',
    help: 'See the circuit named in the detail.',
  },
  QUOTA_EXISTS: {
    status: 409,
    title: 'There is a quota of this kind already',
    help: 'Change its limit instead.',
  },
  MAINTENANCE_CONFLICT: {
    status: 409,
    title: 'Circuits have their place where the maintenance would be',
    help: 'See circuits[]; choose MIGRATE_FLEXIBLE or PREEMPT, or another time.',
  },
  OFFER_TAKEN: { status: 409, title: 'The offered slot is gone', help: 'Ask for new offers.' },
  IDEMPOTENCY_IN_PROGRESS: {
    status: 409,
    title: 'A request with this Idempotency-Key is still running',
    help: 'Try again shortly.',
  },
  STALE_SESSION: {
    status: 409,
    title: 'The message belongs to an earlier session',
    help: 'Peers: say hello again and sign the message anew.',
  },
  STALE_EPOCH: {
    status: 409,
    title: 'The sender is no longer in office',
    help: 'Peers: another instance of that domain speaks for it now.',
  },
  MESSAGE_REPLAYED: {
    status: 409,
    title: 'This message was received before',
    help: 'Peers: sign every attempt anew, with a jti of its own.',
  },
  HOLD_EXPIRED: {
    status: 410,
    title: 'The hold has expired',
    help: 'Ask again; hold_s sets how long a hold lasts.',
  },
  OFFER_EXPIRED: { status: 410, title: 'The offer has expired', help: 'Ask for new offers.' },
  POLICY_UNFIT: {
    status: 409,
    title: 'This version of the policy cannot be put in force',
    help: 'The detail says what is wrong with it; the version in force stays.',
  },
  STALE_REVISION: {
    status: 412,
    title: 'The resource has changed since',
    help: 'Read it again and use its new ETag.',
  },
  PAYLOAD_TOO_LARGE: {
    status: 413,
    title: 'The body is too large',
    help: 'Split the request: bodies are at most 256 KiB, a topology 8 MiB.',
  },
  UNSUPPORTED_MEDIA_TYPE: {
    status: 415,
    title: 'The body is of a type that is not taken here',
    help: 'Send application/json, not compressed; a topology may come in its own notation.',
  },
  DEADLINE_UNREACHABLE: {
    status: 422,
    title: 'The deadline cannot be met',
    help: 'The detail says how much time is missing.',
  },
  NOT_HOME: {
    status: 422,
    title: 'Neither end belongs to this domain',
    help: 'Ask the broker of the domain named in `domain`.',
  },
  IDEMPOTENCY_KEY_REUSED: {
    status: 422,
    title: 'The Idempotency-Key was used for another request',
    help: 'Use a new key.',
  },
  OPERATION_CHANGED: {
    status: 422,
    title: 'The same operation came before with other contents',
    help: 'Peers: every attempt that differs is a new version.',
  },
  NOT_SUPPORTED: {
    status: 422,
    title: 'This is part of the contract but not offered here',
    help: 'The detail names what is missing.',
  },
  PRECONDITION_REQUIRED: {
    status: 428,
    title: 'If-Match is required',
    help: 'Send the ETag of the representation that you changed.',
  },
  RATE_LIMITED: { status: 429, title: 'Too many requests', help: 'Wait as Retry-After says.' },
  HEADERS_TOO_LARGE: { status: 431, title: 'The headers are too large', help: 'Send smaller ones.' },
  INTERNAL: { status: 500, title: 'The broker failed', help: 'Quote request_id to the operator.' },
  PEER_FAILED: {
    status: 502,
    title: 'A peer domain did not answer',
    help: 'Try again later; `domain` says which.',
  },
  NOT_LEADER: {
    status: 503,
    title: 'This instance stands by',
    help: 'Ask the other instance, or try again as Retry-After says.',
  },
  STORE_FULL: {
    status: 503,
    title: 'The store has no room',
    help: 'Releases still work; the operator must free space.',
  },
  STORE_UNAVAILABLE: {
    status: 503,
    title: 'The store cannot be reached',
    help: 'Try again as Retry-After says.',
  },
  OVERLOADED: { status: 503, title: 'Too much is under way', help: 'Try again as Retry-After says.' },
  STOPPING: { status: 503, title: 'The broker is stopping', help: 'Try again as Retry-After says.' },
} as const;

export type ProblemCode = keyof typeof problems;

/** One field at fault; `pointer` is an RFC 6901 JSON pointer into the body, or the name of a parameter. */
export interface FieldError {
  readonly pointer: string;
  readonly detail: string;
}

/** What blocks: a link, port or label, when, and how much of it is free there. */
export interface Bottleneck {
  readonly kind: 'LINK' | 'PORT' | 'LABEL' | 'NODE' | 'NO_ROUTE';
  readonly id: string;
  readonly free_mbps?: number;
  readonly needed_mbps?: number;
  readonly start_time?: string;
  readonly end_time?: string;
  readonly detail?: string;
}

/** Something that could be booked instead. */
export interface Alternative {
  readonly start_time: string;
  readonly end_time?: string;
  readonly bandwidth_mbps: number;
}

/** A clause of a policy that stood in the way, and what it saw. */
export interface Needed {
  readonly rule: string;
  readonly effect: 'permit' | 'forbid';
  readonly clause: string;
  readonly values: Readonly<Record<string, string | number | boolean | readonly string[]>>;
}

export interface ProblemDetails {
  readonly errors?: readonly FieldError[];
  readonly decision_id?: string;
  /** The rules of the policy that said no; none, when there was none that said yes. */
  readonly rules?: readonly string[];
  readonly needed?: readonly Needed[];
  readonly bottlenecks?: readonly Bottleneck[];
  readonly alternatives?: readonly Alternative[];
  readonly proof?: 'PROVEN_IMPOSSIBLE' | 'BUDGET_SPENT';
  /** The limit that would be passed; without an id it is the balance of the project. */
  readonly quota?: {
    readonly id?: string;
    readonly kind: 'CIRCUITS' | 'BANDWIDTH' | 'VOLUME' | 'BALANCE';
    readonly limit: number;
    readonly needed: number;
    readonly period?: string;
  };
  /** Circuits that stand in the way. */
  readonly circuits?: readonly {
    readonly circuit_id: string;
    readonly start_time?: string;
    readonly end_time?: string;
  }[];
  readonly domain?: string;
  readonly allowed_actions?: readonly string[];
  readonly retry_after_s?: number;
  /** Why a circuit token was not accepted, in one word. */
  readonly token_reason?: string;
}

/** A refusal that is meant for the asker. Anything else that is thrown is a bug and answers INTERNAL. */
export class BrokerError extends Error {
  override readonly name = 'BrokerError';
  readonly code: ProblemCode;
  readonly details: ProblemDetails;
  constructor(code: ProblemCode, detail: string, details: ProblemDetails = {}, options?: ErrorOptions) {
    super(detail, options);
    this.code = code;
    this.details = details;
  }
  get status(): number {
    return problems[this.code].status;
  }
}

/** The stored and served form of a refusal (RFC 9457), without the request's own id. */
export interface Problem extends ProblemDetails {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: ProblemCode;
  readonly detail: string;
}

export function toProblem(error: BrokerError): Problem {
  const { status, title } = problems[error.code];
  return {
    type: `urn:turnpike:problem:${error.code}`,
    title,
    status,
    code: error.code,
    detail: error.message,
    ...error.details,
  };
}

/** What was thrown, in a line for a log or an answer. */
export const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
