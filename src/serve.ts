/** `turnpike serve`: one domain from one configuration, until a signal ends it. */
import type { Config } from './config.ts';
import { type Domain, startDomain } from './domain.ts';
import { configFrom, type Io, readFlags, withMessages } from './flags.ts';
import { instant, wallClock } from './kernel/clock.ts';
import { textOf } from './kernel/errors.ts';
import { jsonLog, type Log } from './kernel/log.ts';
import { SettingsError } from './settings.ts';

const HELP = `turnpike serve --config FILE [--host HOST] [--port PORT] [--set section.key=value ...]

Runs the broker of one domain. \`turnpike config check --reference\` lists every setting.
On SIGHUP the peers are read again, with all certificates, keys and pins.
`;

/** A stop that takes longer ends without ceremony; what was acknowledged is on the disk anyhow. */
const STOP_WITHIN_MS = 4_500;

export function serve(argv: readonly string[], io: Io): Promise<number> {
  return withMessages('serve', io, async () => {
    const flags = readFlags(argv, {
      config: 'string',
      set: 'list',
      host: 'string',
      port: 'string',
      help: 'boolean',
    });
    if (flags.help === true) {
      io.stdout.write(HELP);
      return 0;
    }
    const own: [string, string][] = [];
    if (flags.host !== undefined) own.push(['http.host', flags.host]);
    if (flags.port !== undefined) own.push(['http.port', flags.port]);
    const read = (): Promise<Config> => configFrom(flags, io, own);
    const config = await read();
    const log = jsonLog(config.log.level);
    return untilStopped(async (onLost) => {
      const domain = await startDomain(config, { log, onLost });
      onHangUp(async () => domain.renew(await read()), log);
      return domain;
    });
  });
}

/** SIGHUP: read again what may change while it runs. What is wrong is told, and nothing is changed. */
function onHangUp(renew: () => Promise<void>, log: Log): void {
  process.on('SIGHUP', () => {
    renew().catch((error: unknown) => {
      const faults = error instanceof SettingsError ? error.faults.join('; ') : textOf(error);
      log.error({ event: 'peering.not_renewed', error: faults });
    });
  });
}

/** Starts, waits for SIGINT, SIGTERM or a lost store, stops. A signal while it starts stops it as soon as it can. */
export async function untilStopped(
  start: (onLost: () => void) => Promise<Pick<Domain, 'stop'>>,
): Promise<number> {
  let code = 0;
  let stop = (): void => {};
  const asked = new Promise<void>((resolve) => {
    stop = () => {
      // Whatever hangs, the process does not.
      const clock = wallClock();
      clock.alarm(instant(clock.now() + STOP_WITHIN_MS), () => process.exit(1));
      resolve();
    };
  });
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  const running = await start(() => {
    code = 1;
    stop();
  });
  await asked;
  await running.stop();
  // The alarm above, and sockets that a library keeps, would hold the process.
  process.exit(code);
}
