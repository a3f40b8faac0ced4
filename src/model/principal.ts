/** Who is asking, as authentication found it. Never what a message says about itself. */

export interface Principal {
  /** `issuer|subject`: unique over issuers. */
  readonly id: string;
  readonly name: string;
  readonly roles: readonly ('operator' | 'user')[];
  /** The first is the default of a request that names none. */
  readonly projects: readonly string[];
  /** With their lineage in the name: `lhc/cms/ops` is in `lhc/cms` and in `lhc`. */
  readonly groups?: readonly string[];
  /** How sure we are of it: 1 a bearer token, 2 a second factor. */
  readonly assurance: number;
}

export const isOperator = (principal: Principal): boolean => principal.roles.includes('operator');

/** Operators see everything; others what is their own or their projects'. */
export const maySee = (
  principal: Principal,
  of: { readonly project: string; readonly owner: string },
): boolean => isOperator(principal) || of.owner === principal.id || principal.projects.includes(of.project);
