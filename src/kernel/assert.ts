/** What must be true stays checked in production: a broken invariant is a bug, never an answer. */

export class InvariantError extends Error {
  override readonly name = 'InvariantError';
}

export function invariant(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InvariantError(`invariant broken: ${message}`);
}

export function assertNever(value: never): never {
  throw new InvariantError(`no case for ${JSON.stringify(value)}`);
}
