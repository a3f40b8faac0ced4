/**
 * The public API in front of the broker of a process. Putting its routes together takes longer than many a run,
 * so that an app that one world has left is taken up by the next one, with another broker behind it; never within
 * one world, where a process that has died may still be in the middle of an answer.
 */
import { type AppOptions, buildApp } from '../../src/api/app.ts';
import type { HttpServer } from '../../src/http/server.ts';

type Behind = Pick<AppOptions, 'broker' | 'log' | 'clock' | 'random'>;
interface Kept {
  readonly domain: string;
  readonly app: HttpServer;
  behind: Behind;
}

const free: Kept[] = [];

/** The apps of one world. */
export class Apps {
  readonly #taken: Kept[] = [];

  async inFrontOf(
    domain: string,
    authenticate: AppOptions['authenticate'],
    behind: Behind,
  ): Promise<HttpServer> {
    const at = free.findIndex((one) => one.domain === domain);
    const kept = at < 0 ? await build(domain, authenticate, behind) : (free.splice(at, 1)[0] as Kept);
    kept.behind = behind;
    this.#taken.push(kept);
    return kept.app;
  }

  leave(): void {
    free.push(...this.#taken.splice(0));
  }
}

async function build(
  domain: string,
  authenticate: AppOptions['authenticate'],
  behind: Behind,
): Promise<Kept> {
  const kept: { -readonly [K in keyof Kept]?: Kept[K] } = { domain, behind };
  const through = <K extends keyof Behind>(name: K): Behind[K] =>
    new Proxy(behind[name], {
      get: (_, part) => {
        const target = (kept.behind as Behind)[name];
        const value: unknown = Reflect.get(target, part, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  kept.app = await buildApp({
    broker: through('broker'),
    log: through('log'),
    clock: through('clock'),
    random: through('random'),
    domain,
    version: '0',
    authenticate,
    limits: { rate: false },
    docs: false,
  });
  // Else the first request would wait for that, and be answered a step later than in a world that came after others.
  await kept.app.ready();
  return kept as Kept;
}
