/**
 * `turnpike token ...`: have the token of a circuit, pass it on narrower, look into it, withdraw it, and see to
 * the issuer's keys. `new-key`, `attenuate` and `inspect` work offline. What they do is in tokenWork.ts, which
 * is loaded when it is wanted.
 */
import type { Command } from 'commander';
import { collect } from './ask.ts';
import type { Run } from './circuit.ts';
import { seg } from './client.ts';
import type { Context } from './context.ts';
import { usage } from './io.ts';
import { type Column, field, items, object } from './output.ts';
import type { AttenuateOptions, IssueOptions } from './tokenWork.ts';

const work = () => import('./tokenWork.ts');
const capability = () => import('./capability.ts');

const keyColumns: Column[] = [
  field('kid'),
  field('use'),
  field('create_time'),
  field('retire_time'),
  field('compromised'),
];

export function addTokens(program: Command, run: Run): void {
  const token = program
    .command('token')
    .description('capability tokens: what opens a MANUAL circuit, and can be passed on');

  token
    .command('new-key <file>')
    .description('make a holder key; the public half is printed, for --holder-jwk (offline)')
    .action((file: string, _options: object, command: Command) =>
      run(command, async (context) => {
        const jwk = await (await capability()).makeKey(file);
        context.out.say(`the private key is in ${file}`);
        context.out.line(JSON.stringify(jwk));
      }),
    );

  token
    .command('issue <circuit>')
    .description('the token of a circuit, for its holder')
    .option('--holder-jwk <file>', 'whose it is to be, by the public key; that of the booking when absent')
    .option('--uses <n>', 'how many operations it opens (default 16)')
    .option('--out <file>', 'write the token there instead of printing it')
    .action((ref: string, options: IssueOptions, command: Command) =>
      run(command, async (context) => (await work()).issue(context, ref, options)),
    );

  token
    .command('attenuate')
    .description('pass a token on, narrower, to the holder of another key (offline)')
    .requiredOption('--token <file>', 'the token')
    .requiredOption('--key <file>', 'the private key of its present holder')
    .requiredOption('--to <file>', 'the public key of the next holder')
    .option(
      '--action <action>',
      'only this (repeatable): provision, release, modify, extend, reroute, cancel, ...',
      collect,
    )
    .option('--bw <rate>', 'not more than this')
    .option('--from <time>', 'not before this')
    .option('--until <time>', 'not after this')
    .option('--expire <time>', 'the token is worth nothing after this')
    .option('--aud <url>', 'only for this domain (repeatable)', collect)
    .option('--end <end>', 'only this end: a=ams:host1 or z=ams:host2@1801 (repeatable)', collect)
    .option('--budget <url=mbit>', 'not more than this in that domain (repeatable)', collect)
    .option('--depth <n>', 'how often it may be passed on again')
    .option('--out <file>', 'write the token there instead of printing it')
    .action((options: AttenuateOptions, command: Command) =>
      run(command, async (context) => (await work()).passOn(context, options)),
    );

  token
    .command('home-key')
    .description('the key of the broker itself, for `attenuate --to`: provision does this by itself')
    .action((_options: object, command: Command) =>
      run(command, async (context) => {
        const { body } = await context.client.get('/v1/tokens/holder');
        context.out.line(JSON.stringify(object(body)['jwk']));
      }),
    );

  token
    .command('inspect <file>')
    .description('what a token says; whether it is true is checked with --check only')
    .option('--check', 'ask the broker whether it is good now')
    .action((file: string, options: { check?: boolean }, command: Command) =>
      run(command, async (context) => (await work()).inspect(context, file, options.check === true)),
    );

  token
    .command('revoke [file]')
    .description('withdraw a token and all that was made from it')
    .option('--jti <id>', 'by its id instead')
    .option('--kill', 'put the light out, too')
    .action((file: string | undefined, options: { jti?: string; kill?: boolean }, command: Command) =>
      run(command, async (context) => {
        if ((file === undefined) === (options.jti === undefined)) throw usage('say a file or --jti');
        const what =
          file === undefined ? { jti: options.jti } : { token: await (await capability()).readToken(file) };
        const body = { ...what, kill: options.kill === true };
        const answer = object((await context.client.call('POST', '/v1/tokens/revoke', { body })).body);
        await context.out.one(answer, [field('revoked')]);
        if (answer['revoked'] !== true) context.out.say('it was worth nothing already, or is none of yours');
      }),
    );

  const keys = token.command('keys').description("the issuer's keys; for operators");
  const showKeys = async (context: Context, body: unknown): Promise<void> => {
    const answer = object(body);
    await context.out.list(items(answer['items']), { columns: keyColumns }, answer);
  };
  keys
    .command('list', { isDefault: true })
    .description('all keys, old ones too')
    .action((_options: object, command: Command) =>
      run(command, async (context) => showKeys(context, (await context.client.get('/v1/tokens/keys')).body)),
    );
  keys
    .command('rotate')
    .description('sign with a new key from now on; the old one verifies until its last token has ended')
    .action((_options: object, command: Command) =>
      run(command, async (context) =>
        showKeys(context, (await context.client.call('POST', '/v1/tokens/keys/rotate', { body: {} })).body),
      ),
    );
  keys
    .command('compromise <kid>')
    .description('trust nothing any more that this key has signed')
    .action((kid: string, _options: object, command: Command) =>
      run(command, async (context) => {
        const path = `/v1/tokens/keys/${seg(kid)}/compromise`;
        await showKeys(context, (await context.client.call('POST', path, { body: {} })).body);
      }),
    );
}
