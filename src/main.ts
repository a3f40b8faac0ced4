/**
 * Where the process begins: `serve` and `lab` run a broker, every other word is the command line's. Nothing
 * is composed here, and each part is loaded only when it is wanted, so that `turnpike --help` stays quick.
 */
import { environment } from './config.ts';
import { wallClock } from './kernel/clock.ts';

const env = environment();

async function run(argv: readonly string[]): Promise<number> {
  const [verb, ...rest] = argv;
  const io = { env, stdout: process.stdout, stderr: process.stderr };
  if (verb === 'serve') return (await import('./serve.ts')).serve(rest, io);
  if (verb === 'lab') return (await import('./lab.ts')).lab(rest, io);
  // What `lab` runs for each of its domains; not for people.
  if (verb === 'lab-domain') return (await import('./labDomain.ts')).labDomain(rest, io);
  const { runCli } = await import('./cli/cli.ts');
  return runCli(argv, {
    ...io,
    stdin: process.stdin,
    isTTY: process.stderr.isTTY === true,
    clock: wallClock(),
    local: async (words) => (await import('./admin.ts')).admin(words, io),
  });
}

// A reader that has gone (`turnpike ... | head`) is no failure of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

// Not process.exit: what is still being written to a pipe would be cut off.
process.exitCode = await run(process.argv.slice(2));
