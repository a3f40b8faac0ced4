/** The list of what is served: for the answer 405, and for the tests that go through every route. */
import type { RouteOptions } from 'fastify';

/**
 * Who may use a route. `public`: anybody, without credentials. `visible`: whoever is authenticated, and sees
 * what is visible to him. `decided:<action>`: whoever the policy allows the action, which the broker asks.
 */
export type Authorisation = 'public' | 'visible' | `decided:${string}`;

export interface Route {
  readonly method: string;
  /** The pattern, with `:name` for a parameter. */
  readonly url: string;
  readonly operationId: string | undefined;
  /** Asked late: a plugin's routes get theirs from the context that they are registered in. */
  authorisation(): Authorisation | undefined;
}

export function routeOf(route: RouteOptions): Route[] {
  return [route.method].flat().map((method) => ({
    method,
    url: route.url,
    operationId: route.schema?.operationId,
    authorisation: () => route.config?.authorisation,
  }));
}

function fits(pattern: string, path: string): boolean {
  const wanted = pattern.split('/');
  const given = path.split('/');
  return (
    (wanted.length === given.length || (wanted.at(-1) === '*' && given.length > wanted.length)) &&
    wanted.every((part, i) => part === '*' || part.startsWith(':') || part === given[i])
  );
}

/** The methods that some route knows for this URL. */
export function allowedMethods(table: readonly Route[], url: string): string[] {
  const path = url.split('?', 1)[0] as string;
  return [...new Set(table.filter((route) => fits(route.url, path)).map((route) => route.method))].sort();
}
