/**
 * Light and dark on one TL1 element: read, decide, send side by side, read again. COMPLD alone is not believed,
 * and a DENY may still mean that what we want is there; what the element lists afterwards decides. What was
 * done is undone from the list that was read before, and looked at again.
 */
import { type Cancel, type Clock, every, sleep } from '../../kernel/clock.ts';
import {
  type ApplyContext,
  type ApplyReport,
  type ChangeKind,
  type Connect,
  type DeviceView,
  type Driver,
  Split,
  sameEnds,
  type WatchEvent,
} from '../driver.ts';
import type { Tell } from '../events.ts';
import { asFault, DeviceFault } from '../fault.ts';
import { type Owner, ownedBy, ownerOf, sameCircuit, samePlacement, tagOf } from '../owner.ts';
import type { ObservedConnect } from '../port.ts';
import { mayRemove, mayReplace } from '../rules.ts';
import { AlarmWatch } from './alarms.ts';
import { type Batches, type Cross, type Image, type Part, samePart, type Tl1Dialect } from './dialect.ts';
import { formatCommand, redacted, type Tl1Command } from './format.ts';
import { denial } from './parse.ts';
import { READ_MS, Tl1Session } from './session.ts';

export interface Tl1DriverOptions {
  readonly device: string;
  readonly host: string;
  readonly port?: number;
  readonly tid?: string;
  readonly user: string;
  readonly password: () => string;
  readonly writeMs?: number;
  readonly pollMs?: number;
  readonly keepAliveMs?: number;
}

const WRITE_MS = 8_000;
const POLL_MS = 200;
/** How often the standing alarms are asked for. */
const ALARMS_MS = 30_000;
/** Ask again while the deadline allows, but not for ever. */
const LONGEST_SETTLE_MS = 60_000;

/** Try later: the element is busy, or its resource or data base is locked. */
const BUSY = new Set(['SARB', 'SNVS', 'SDNR', 'SDLD']);
/** Login or privilege. */
const SESSION = new Set(['PLNA', 'PIUI', 'PICC', 'PIUC', 'IITA', 'IICT']);
/** We sent something that this element does not understand. */
const OURS = new Set(['IICM', 'IISP', 'IIAC', 'IDNV', 'ICNV', 'IPNV', 'IIFM']);

interface Decision {
  readonly outcome?: 'already' | 'rejected';
  readonly retry: boolean;
  readonly detail: string;
  readonly batches: Batches;
  readonly replaced?: number;
}

export class Tl1Driver implements Driver {
  readonly device: string;
  readonly protocol = 'tl1';
  readonly dialect: string;
  readonly capabilities;
  readonly #dialect: Tl1Dialect;
  readonly #options: Tl1DriverOptions;
  readonly #clock: Clock;
  readonly #session: Tl1Session;
  readonly #alarms: AlarmWatch;
  readonly #watchers = new Set<(event: WatchEvent) => void>();
  #stopAsking: Cancel | undefined;

  constructor(options: Tl1DriverOptions, dialect: Tl1Dialect, clock: Clock, tell: Tell) {
    this.device = options.device;
    this.dialect = dialect.name;
    this.capabilities = dialect.capabilities;
    this.#dialect = dialect;
    this.#options = options;
    this.#clock = clock;
    this.#session = new Tl1Session(
      { ...options, port: options.port ?? dialect.port, depth: dialect.depth, greeting: dialect.greeting },
      clock,
      tell,
    );
    this.#alarms = new AlarmWatch(
      dialect,
      // Not worth a login of its own.
      async () => (this.#session.isOpen ? (await this.#ask([{ verb: 'RTRV-ALM-ALL' }]))[0] : undefined),
      (event) => this.#announce(event),
    );
    this.#session.onLoss(() => {
      this.#announce({ type: 'changed', foreign: true, detail: 'messages were lost' });
      void this.#alarms.refresh();
    });
    this.#session.onMessage((message) => {
      this.#alarms.heard(message);
      const change = dialect.change(message);
      if (change === undefined) return;
      const foreign = change.user !== options.user || !this.#session.sentLately(change.source);
      this.#announce({ type: 'changed', foreign, detail: message.lines[0] ?? message.verb });
    });
  }

  connect(): Promise<void> {
    return this.#session.open();
  }

  close(): Promise<void> {
    this.#stopAsking?.();
    return this.#session.close();
  }

  watch(listener: (event: WatchEvent) => void): () => void {
    this.#watchers.add(listener);
    this.#stopAsking ??= every(this.#clock, ALARMS_MS, () => void this.#alarms.refresh());
    return () => this.#watchers.delete(listener);
  }

  #announce(event: WatchEvent): void {
    for (const watcher of this.#watchers) watcher(event);
  }

  async #ask(commands: readonly Tl1Command[]) {
    const all = () => Promise.all(commands.map((command) => this.#session.send(command, READ_MS)));
    // A session that breaks under a question is no answer; asking twice does no harm.
    const answers = await all().catch((error) => {
      if (asFault(error).kind === 'unreachable' && asFault(error).sent) return all();
      throw error;
    });
    return answers.map(({ response }) => {
      if (response.code !== 'COMPLD' && response.code !== 'PRTL') {
        const { code, text } = denial(response);
        throw new DeviceFault(BUSY.has(code) ? 'busy' : 'refused', `${this.device}: ${code} ${text}`.trim());
      }
      return response;
    });
  }

  async #image(): Promise<Image> {
    return this.#dialect.image(await this.#ask(this.#dialect.retrieve));
  }

  async read(): Promise<readonly ObservedConnect[]> {
    const { crosses } = await this.#image();
    // Parts of one tag between the same two ports and labels are one connection.
    const groups = new Map<string, Cross[]>();
    for (const cross of crosses) {
      const ends = this.#dialect.ends([cross]);
      const key = JSON.stringify([cross.tag, ends.in, ends.out]);
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [cross]);
      else group.push(cross);
    }
    return [...groups.values()].map((parts) => {
      return {
        device: this.device,
        ...this.#dialect.ends(parts),
        ...ownedBy(ownerOf(parts[0]?.tag ?? '')),
      };
    });
  }

  async plan(kind: ChangeKind, connect: Connect): Promise<readonly string[]> {
    const parts = kind === 'light' ? this.#dialect.parts(connect) : [];
    const decision = this.#decide(kind, connect, parts, await this.#image());
    if (decision.outcome === 'rejected')
      throw new DeviceFault('conflict', `${this.device}: ${decision.detail}`);
    let ctag = 0;
    return decision.batches.flat().map((command) => {
      ctag += 1;
      const { tid } = this.#options;
      return redacted(formatCommand(tid === undefined ? command : { tid, ...command }, `${ctag}`));
    });
  }

  #decide(kind: ChangeKind, connect: Connect, parts: readonly Part[], image: Image): Decision {
    const nothing = { retry: false, batches: [] };
    if (kind === 'dark') {
      const gone = this.#placed(image, connect);
      if (gone.length === 0) return { ...nothing, outcome: 'already', detail: 'not there' };
      return { retry: false, detail: 'removed', batches: this.#dialect.remove(gone, image) };
    }
    const inTheWay = image.crosses.filter((cross) => parts.some((part) => this.#dialect.clash(part, cross)));
    for (const cross of inTheWay) {
      const verdict = mayReplace(ownerOf(cross.tag), connect.owner);
      if (verdict.may === 'not') {
        const where = cross.from === cross.to ? cross.from : `${cross.from},${cross.to}`;
        return {
          outcome: 'rejected',
          retry: verdict.retry,
          detail: `${where}: ${verdict.detail}`,
          batches: [],
        };
      }
    }
    const tag = tagOf(connect.owner);
    const older = inTheWay.map((cross) => ownerOf(cross.tag)).filter((o) => isOlder(o, connect.owner));
    const kept = inTheWay.filter((cross) => parts.some((part) => samePart(part, cross)));
    const wrong = inTheWay.filter((cross) => !kept.includes(cross));
    const missing = parts.filter((part) => !kept.some((cross) => samePart(part, cross)));
    const stale = kept.filter((cross) => cross.tag !== tag);
    if (wrong.length === 0 && missing.length === 0 && stale.length === 0) {
      return { ...nothing, outcome: 'already', detail: 'there already' };
    }
    return {
      retry: false,
      detail: 'set',
      ...(older.length === 0 ? {} : { replaced: Math.max(...older.map((o) => o?.version ?? 0)) }),
      batches: [
        ...(wrong.length > 0 ? this.#dialect.remove(wrong, image) : []),
        ...(stale.length > 0 ? this.#dialect.retag(stale, tag, image) : []),
        ...(missing.length > 0 ? this.#dialect.enter(missing, tag, image) : []),
      ],
    };
  }

  /** What this placement has between these ends, however many cross-connects that is. */
  #placed(image: Image, connect: Connect): Cross[] {
    return image.crosses.filter(
      (cross) =>
        mayRemove(ownerOf(cross.tag), connect.owner) && sameEnds(this.#dialect.ends([cross]), connect),
    );
  }

  async apply(kind: ChangeKind, connect: Connect, context: ApplyContext): Promise<ApplyReport> {
    const split = new Split(() => this.#clock.now());
    let before: Image;
    let decision: Decision;
    let parts: readonly Part[];
    try {
      // To remove something it need not be possible to make it.
      parts = kind === 'light' ? this.#dialect.parts(connect) : [];
      before = await split.time('protocol_ms', () => this.#image());
      decision = this.#decide(kind, connect, parts, before);
    } catch (error) {
      return split.failed('rejected', asFault(error));
    }
    if (decision.outcome === 'rejected') return split.report('rejected', decision.retry, decision.detail);
    if (decision.outcome === 'already' && kind === 'dark')
      return split.report('already', false, decision.detail);
    if (decision.batches.length > 0 && !(await context.stillMaster())) {
      return split.report('rejected', false, 'the lease has passed to another broker');
    }
    // A release is never undone: to light what was to be dark is no repair.
    const more = kind === 'light' ? { undo: () => this.#restore(before, parts, context.stillMaster) } : {};
    let trouble = await split.time('protocol_ms', () => this.#send(decision.batches, split.commands));
    try {
      if (trouble?.sent === true) {
        this.#session.cut();
        // An answer is missing, so look first: what is there is not sent again, the rest is, once.
        const rest = await split.time('verify_ms', async () =>
          this.#decide(kind, connect, parts, await this.#image()),
        );
        if (rest.outcome !== 'rejected' && rest.batches.length > 0) {
          trouble = await split.time('protocol_ms', () => this.#send(rest.batches, split.commands));
        }
      }
      const missed = await this.#look(kind, connect, parts, context, split);
      if (missed === undefined) {
        return decision.outcome === 'already'
          ? split.report('already', false, decision.detail)
          : split.report('applied', false, decision.detail, {
              ...more,
              ...(decision.replaced === undefined ? {} : { replaced: decision.replaced }),
            });
      }
      const why = trouble ?? new DeviceFault('refused', missed);
      // A release that went half way is half done; putting light back would be wrong.
      if (kind === 'dark') return split.failed('rejected', why);
      // All or nothing on one element: what went through before the refusal goes back.
      const back = await split.time('protocol_ms', () => this.#restore(before, parts, context.stillMaster));
      return back ? split.failed('rejected', why) : split.failed('unknown', why, more);
    } catch (error) {
      return split.failed('unknown', trouble ?? asFault(error), more);
    }
  }

  /** Sends batch after batch; the first trouble ends it and is returned. */
  async #send(batches: Batches, sentTexts: string[]): Promise<DeviceFault | undefined> {
    for (const batch of batches) {
      const results = await Promise.allSettled(
        batch.map(async (command) => {
          const { response, sent } = await this.#session.send(command, this.#options.writeMs ?? WRITE_MS);
          sentTexts.push(sent);
          if (response.code !== 'DENY') return;
          const { code, text } = denial(response);
          const kind = BUSY.has(code)
            ? 'busy'
            : SESSION.has(code)
              ? 'credentials'
              : OURS.has(code)
                ? 'protocol'
                : 'refused';
          throw new DeviceFault(kind, `${this.device}: ${command.verb} denied, ${code} ${text}`.trim());
        }),
      );
      const failed = results.find((result) => result.status === 'rejected');
      if (failed !== undefined) return asFault(failed.reason);
    }
    return undefined;
  }

  /** Reads until what is wanted is in service, or the time is up. Says what is missing. */
  async #look(
    kind: ChangeKind,
    connect: Connect,
    parts: readonly Part[],
    context: ApplyContext,
    split: Split,
  ): Promise<string | undefined> {
    const giveUp = Math.min(context.deadline, this.#clock.now() + LONGEST_SETTLE_MS);
    for (;;) {
      const image = await split.time('verify_ms', () => this.#image());
      const ours = image.crosses.filter((cross) => {
        const owner = ownerOf(cross.tag);
        return owner !== undefined && samePlacement(owner, connect.owner);
      });
      if (kind === 'dark') {
        return this.#placed(image, connect).length === 0 ? undefined : `${this.device}: still there`;
      }
      const found = parts.map((part) => ours.find((cross) => samePart(part, cross)));
      if (found.some((cross) => cross === undefined)) return `${this.device}: not there after the command`;
      if (found.every((cross) => cross?.pending === false)) return undefined;
      if (this.#clock.now() >= giveUp) return `${this.device}: did not come into service`;
      await split.time('settle_ms', () => sleep(this.#clock, this.#options.pollMs ?? POLL_MS));
    }
  }

  /** Brings the ends that `parts` touch back to how `before` had them. Touches nothing that is not ours now. */
  async #restore(
    before: Image,
    parts: readonly Part[],
    stillMaster: ApplyContext['stillMaster'],
  ): Promise<boolean> {
    const near = (image: Image): Cross[] =>
      image.crosses.filter((cross) => parts.some((part) => this.#dialect.clash(part, cross)));
    const differs = (a: Cross, list: readonly Cross[]): boolean =>
      !list.some((b) => samePart(a, b) && a.tag === b.tag);
    try {
      const now = await this.#image();
      const was = near(before);
      const extra = near(now).filter((cross) => differs(cross, was));
      if (extra.some((cross) => ownerOf(cross.tag) === undefined)) return false;
      const missing = was.filter((cross) => differs(cross, near(now)));
      const batches = [
        ...(extra.length > 0 ? this.#dialect.remove(extra, now) : []),
        ...missing.flatMap((cross) => this.#dialect.enter([cross], cross.tag, before)),
      ];
      if (batches.length === 0) return true;
      if (!(await stillMaster())) return false;
      await this.#send(batches, []);
      const after = near(await this.#image());
      return after.length === was.length && was.every((cross) => !differs(cross, after));
    } catch {
      return false;
    }
  }

  async discover(): Promise<DeviceView> {
    const [answers, connects] = await Promise.all([this.#ask(this.#dialect.inventory), this.read()]);
    const { ports, neighbours } = this.#dialect.view(answers);
    return {
      device: this.device,
      identity: answers[0]?.sid ?? this.device,
      ports,
      neighbours,
      connects,
      bootId: '',
    };
  }
}

const isOlder = (there: Owner | undefined, wanted: Owner): boolean =>
  there !== undefined && sameCircuit(there, wanted) && there.version < wanted.version;
