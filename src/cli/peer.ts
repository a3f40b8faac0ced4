/** `turnpike peer`: the brokers of other domains, and how we stand with each. For operators. */
import type { Command } from 'commander';
import type { Run } from './circuit.ts';
import { seg } from './client.ts';
import type { Context } from './context.ts';
import { CliError, exits } from './io.ts';
import { dig, field, items, type Json, type Layout, object, text } from './output.ts';

export function addPeers(program: Command, run: Run): void {
  const peer = program.command('peer').description('the brokers of other domains');
  peer
    .command('list')
    .description('the peers, and how we stand with each')
    .action((_options: object, command: Command) =>
      run(command, async (context) => context.out.list(await all(context), peerList)),
    );
  peer
    .command('check [domains...]')
    .description('say hello to them, all if none is named; 7 when one is not as it should be')
    .action((named: readonly string[], _options: object, command: Command) =>
      run(command, (context) => check(context, named)),
    );
  peer
    .command('readmit <domain>')
    .description('trust it again: out of quarantine, and from whatever term of office it is in')
    .requiredOption('--reason <text>', 'what you found when you looked; it is recorded')
    .action((domain: string, options: { reason: string }, command: Command) =>
      run(command, async (context) => {
        await context.client.call('POST', `/v1/peers/${seg(domain)}/readmit`, {
          body: { reason: options.reason },
        });
        context.out.say(`${domain} is as any other peer again`);
      }),
    );
  peer
    .command('messages <domain>')
    .description('the last messages each way, the newest first')
    .action((domain: string, _options: object, command: Command) =>
      run(command, async (context) => {
        const { body } = await context.client.get(`/v1/peers/${seg(domain)}/messages`);
        await context.out.list(items(dig(body, 'items')), messageList);
      }),
    );
}

const all = (context: Context): Promise<readonly Json[]> => context.pages('/v1/peers', {}, 10_000);

const DAY_MS = 86_400_000;
/** A certificate that ends sooner is worth a word. */
const SOON_DAYS = 14;
/** As the broker has it: from here on a clock is wrong. */
const SKEW_MS = 1_000;

const skew = (peer: Json): string | undefined => {
  const ms = peer['clock_skew_ms'];
  return ms === undefined ? undefined : `${text(ms)} ms`;
};
const topology = (peer: Json): string | undefined => {
  const version = peer['topology'];
  return version === undefined ? undefined : `${text(dig(version, 'epoch'))}.${text(dig(version, 'n'))}`;
};
const agreed = (peer: Json): string => {
  const links = items(peer['links']);
  return `${links.filter((link) => link['agreed'] === true).length}/${links.length}`;
};

const peerList: Layout = {
  columns: [
    ['DOMAIN', (p) => p['domain']],
    ['STATE', (p) => p['state']],
    ['CLOCK', skew],
    ['TOPOLOGY', topology],
    ['LINKS', agreed],
    ['CIRCUITS', (p) => p['circuits']],
    ['HOLDS', (p) => p['holds']],
    ['SCORE', (p) => p['score']],
    ['BREAKER', (p) => p['breaker']],
    ['CERTIFICATE UNTIL', (p) => p['certificate_end_time']],
    ['WAITING', (p) => p['messages_waiting']],
    ['GIVEN UP', (p) => p['messages_given_up']],
    ['COSIGNED', (p) => dig(p['witness'], 'size')],
    ['REASON', (p) => p['reason']],
  ],
  csv: [
    field('domain'),
    field('state'),
    field('clock_skew_ms'),
    field('circuits'),
    field('holds'),
    field('score'),
    field('breaker'),
    field('certificate_end_time'),
    field('last_seen_time'),
    field('messages_waiting'),
    field('messages_given_up'),
  ],
  none: 'no peers',
};

const messageList: Layout = {
  columns: [
    ['TIME', (m) => m['time']],
    ['WAY', (m) => m['direction']],
    ['VERB', (m) => m['op']],
    ['CIRCUIT', (m) => m['circuit_id']],
    ['VERSION', (m) => m['version']],
    ['OUTCOME', (m) => m['outcome']],
    ['MS', (m) => m['ms']],
  ],
  none: 'no messages',
};

async function check(context: Context, named: readonly string[]): Promise<void> {
  const domains = named.length > 0 ? named : (await all(context)).map((peer) => text(peer['domain']));
  const found = await Promise.all(
    domains.map(async (domain) =>
      object((await context.client.call('POST', `/v1/peers/${seg(domain)}/check`)).body),
    ),
  );
  const wrong: Json[] = [];
  for (const peer of found) {
    const faults = faultsOf(peer, context);
    for (const fault of faults) context.out.warn(`${text(peer['domain'])}: ${fault}`);
    if (faults.length > 0) wrong.push(peer);
  }
  await context.out.list(found, peerList, { items: found });
  if (wrong.length > 0)
    throw new CliError(exits.PEER_OR_DEVICE, `${wrong.length} of ${found.length} not as it should be`, [
      'turnpike peer messages DOMAIN',
    ]);
}

function faultsOf(peer: Json, context: Context): string[] {
  const faults: string[] = [];
  if (peer['state'] !== 'CONNECTED')
    faults.push(`${text(peer['state'])}: ${text(peer['reason'] ?? 'no answer yet')}`);
  if (Math.abs(Number(peer['clock_skew_ms'] ?? 0)) > SKEW_MS)
    faults.push(`its clock is ${text(skew(peer))} from this broker's`);
  const vain = Number(peer['messages_given_up'] ?? 0);
  if (vain > 0) faults.push(`${vain} messages to it were given up: is it gone for good?`);
  const left = Date.parse(text(peer['certificate_end_time'])) - context.now;
  if (left < SOON_DAYS * DAY_MS) faults.push(`its certificate ends ${text(peer['certificate_end_time'])}`);
  for (const link of items(peer['links']))
    if (link['agreed'] !== true)
      faults.push(`it does not claim the link ${text(link['port'])} to ${text(link['remote_port'])}`);
  return faults;
}
