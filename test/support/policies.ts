/** Policies for tests that are about something else: who is authenticated may do everything but an operator's work. */
import type { PolicyDraft } from '../../src/broker/aaa/policy.ts';
import type { RuleSettings } from '../../src/broker/aaa/rulebook.ts';

export const OPEN_POLICY = `
@id("anybody")
permit (
  principal,
  action in [Action::"book", Action::"operate", Action::"reduce", Action::"watch", Action::"serve"],
  resource
);
@id("operators")
permit (principal in Role::"operator", action in [Action::"administer", Action::"inspect"], resource);
`;

export const rulesFor = (
  text = OPEN_POLICY,
  over: Partial<RuleSettings> = {},
): RuleSettings & { readonly seed: PolicyDraft } => ({
  zone: 'Europe/Amsterdam',
  ...over,
  seed: { text, assertions: [] },
});
