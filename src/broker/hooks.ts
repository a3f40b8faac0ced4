/** What the use cases of webhooks decide inside the writer. Delivery is somebody else's; its progress is kept here. */
import type { Facts } from '../aaa/decide.ts';
import { BrokerError } from '../kernel/errors.ts';
import { newId, type WebhookId } from '../kernel/ids.ts';
import type { Random } from '../kernel/random.ts';
import { isOperator, maySee } from '../model/principal.ts';
import type { Call, WebhookWish } from './calls.ts';
import { stale } from './circuits/actions.ts';
import type { WebhookProgress, WebhookRecord } from './ports.ts';
import type { Term } from './term.ts';
import type { Tx } from './tx.ts';
import type { StoredRefusal } from './writer.ts';

/** Where it goes and no more: the rest of such an address is often a secret, and decisions are shown. */
const factsOf = (url: string): Facts => ({ url: new URL(url).origin });

export function createWebhook(
  tx: Tx,
  term: Term,
  random: Random,
  call: Call,
  wish: WebhookWish,
): WebhookRecord | StoredRefusal {
  const { projects } = call.principal;
  const project = wish.project ?? projects[0] ?? '';
  if (!isOperator(call.principal) && project !== '' && !projects.includes(project)) {
    const detail = `${project} is not a project of yours`;
    throw new BrokerError('INVALID_REQUEST', detail, { errors: [{ pointer: '/project', detail }] });
  }
  const denied = term.authoriser.refusal(tx, {
    ...call,
    action: 'webhook.write',
    project,
    facts: factsOf(wish.url),
  });
  if (denied !== undefined) return denied;
  const hook: WebhookRecord = {
    id: newId('whk', tx.now, random),
    project,
    owner: call.principal.id,
    all: isOperator(call.principal),
    revision: 1,
    createTime: tx.now,
    url: wish.url,
    types: wish.types,
    secret: `whsec_${Buffer.from(random.bytes(32)).toString('base64')}`,
    state: 'ENABLED',
    cursor: tx.lastEvent,
    failures: 0,
  };
  tx.setWebhook(hook);
  return hook;
}

export function deleteWebhook(
  tx: Tx,
  term: Term,
  call: Call,
  id: WebhookId,
  revision: number | undefined,
): undefined | StoredRefusal {
  const hook = tx.book.webhooks.get(id);
  if (hook === undefined || !maySee(call.principal, hook))
    throw new BrokerError('NOT_FOUND', `there is no webhook ${id}`);
  if (revision !== undefined && revision !== hook.revision) throw stale(hook.revision);
  const denied = term.authoriser.refusal(tx, {
    ...call,
    action: 'webhook.write',
    project: hook.project,
    facts: factsOf(hook.url),
  });
  if (denied !== undefined) return denied;
  tx.dropWebhook(id);
  return undefined;
}

export function webhookProgress(tx: Tx, id: WebhookId, progress: WebhookProgress): void {
  const hook = tx.book.webhooks.get(id);
  if (hook === undefined) return;
  const { lastError: _, ...rest } = hook;
  tx.setWebhook({
    ...rest,
    cursor: Math.max(hook.cursor, progress.cursor),
    failures: progress.failures,
    ...(progress.lastError === undefined ? {} : { lastError: progress.lastError }),
    ...(progress.disable === true ? { state: 'DISABLED' as const, revision: hook.revision + 1 } : {}),
  });
}
