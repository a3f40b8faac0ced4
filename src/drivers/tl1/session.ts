/**
 * One warm TL1 session with one element: connect, log in, keep alive, several commands under way at once up to
 * the dialect's depth, answers matched by CTAG, autonomous messages handed on, gaps in their ATAGs noticed.
 * A command that got no answer is never sent again from here: its caller reads first. The only file of the TL1
 * driver that opens a socket.
 */
import { connect as connectSocket, type Socket } from 'node:net';
import { type Cancel, type Clock, instant } from '../../kernel/clock.ts';
import type { Tell } from '../events.ts';
import { DeviceFault } from '../fault.ts';
import { formatCommand, redacted, type Tl1Command } from './format.ts';
import { denial, type Tl1Autonomous, Tl1Parser, type Tl1Response, type Tl1Unit } from './parse.ts';
import { TelnetFilter } from './telnet.ts';

export interface Tl1Endpoint {
  readonly device: string;
  readonly host: string;
  readonly port: number;
  readonly tid?: string;
  readonly user: string;
  /** Read when it is needed, so that a rotated secret needs no restart. */
  readonly password: () => string;
  /** Commands under way at once. */
  readonly depth: number;
  readonly keepAliveMs?: number;
  /** Sent after each login, for example to switch autonomous messages on. */
  readonly greeting?: readonly Tl1Command[];
}

export const CONNECT_MS = 3_000;
export const READ_MS = 5_000;
const KEEP_ALIVE_MS = 45_000;
/** More than this waiting behind one session means that somebody forgot to wait. */
const LONGEST_QUEUE = 4_096;
/** A report of a change that names one of this many last commands is about our own change. */
const REMEMBERED = 512;

interface Waiting {
  readonly command: Tl1Command;
  readonly timeoutMs: number;
  readonly resolve: (answer: Tl1Answer) => void;
  readonly reject: (fault: DeviceFault) => void;
}

interface UnderWay extends Waiting {
  readonly text: string;
  cancel: Cancel;
}

export interface Tl1Answer {
  readonly response: Tl1Response;
  /** What was sent, fit to be shown. */
  readonly sent: string;
}

/** Error codes that mean: the login is gone. The command was not carried out. */
const LOGIN_NEEDED = new Set(['PLNA']);

export class Tl1Session {
  readonly #to: Tl1Endpoint;
  readonly #clock: Clock;
  readonly #tell: Tell;
  readonly #listeners = new Set<(message: Tl1Autonomous) => void>();
  readonly #lost = new Set<() => void>();
  #socket: Socket | undefined;
  #opening: Promise<void> | undefined;
  #ready = false;
  #ctag = 0;
  #underWay = new Map<string, UnderWay>();
  #waiting: Waiting[] = [];
  #atag: number | undefined;
  #stopKeepAlive: Cancel = () => {};
  #closed = false;

  constructor(to: Tl1Endpoint, clock: Clock, tell: Tell) {
    this.#to = to;
    this.#clock = clock;
    this.#tell = tell;
  }

  get isOpen(): boolean {
    return this.#ready;
  }

  /** Messages that nobody asked for. */
  onMessage(listener: (message: Tl1Autonomous) => void): Cancel {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Messages were lost, or the element restarted: what is known of it must be read again. */
  onLoss(listener: () => void): Cancel {
    this.#lost.add(listener);
    return () => this.#lost.delete(listener);
  }

  /** Is this the CTAG of one of our last commands? CTAGs are handed out in order. */
  sentLately(ctag: string): boolean {
    const number = /^\d{1,6}$/.test(ctag) ? Number(ctag) : 0;
    return number > 0 && number <= this.#ctag && number > this.#ctag - REMEMBERED;
  }

  /** Connects and logs in, once for all who ask meanwhile. */
  open(): Promise<void> {
    if (this.#ready) return Promise.resolve();
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #open(): Promise<void> {
    if (this.#closed) throw new DeviceFault('unreachable', 'session is closed');
    const socket = await this.#dial();
    this.#socket = socket;
    this.#atag = undefined;
    const parser = new Tl1Parser();
    const telnet = new TelnetFilter();
    socket.on('data', (chunk: Buffer) => {
      const { data, reply } = telnet.push(chunk);
      if (reply !== undefined) socket.write(reply);
      for (const unit of parser.push(data)) this.#receive(unit);
    });
    socket.on('close', () => {
      if (this.#socket === socket) this.#down('connection lost');
    });
    try {
      await this.#logIn();
      this.#ready = true;
      for (const command of this.#to.greeting ?? []) await this.#now(command, READ_MS);
    } catch (error) {
      this.#ready = false;
      socket.destroy();
      throw error;
    }
    this.#keepAlive();
    this.#tell({ event: 'device.connected', device: this.#to.device, protocol: 'tl1' });
    this.#pump();
  }

  #dial(): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket = connectSocket({ host: this.#to.host, port: this.#to.port, noDelay: true });
      const fail = (why: string): void => {
        cancel();
        socket.destroy();
        reject(new DeviceFault('unreachable', `${this.#to.device}: ${why}`));
      };
      const cancel = this.#clock.alarm(instant(this.#clock.now() + CONNECT_MS), () =>
        fail('connect timed out'),
      );
      // A socket without a listener for `error` would end the process; `close` follows and does the work.
      socket.on('error', (error) => fail(error.message));
      socket.once('connect', () => {
        cancel();
        resolve(socket);
      });
    });
  }

  async #logIn(): Promise<void> {
    const { user, password } = this.#to;
    const { response } = await this.#now(
      { verb: 'ACT-USER', aid: [user], blocks: ['', password()] },
      CONNECT_MS,
    );
    if (response.code === 'COMPLD') return;
    const { code } = denial(response);
    throw new DeviceFault('credentials', `${this.#to.device}: login refused (${code || response.code})`);
  }

  /**
   * Sends a command when there is room for it and returns the element's answer, a DENY too. `sent` in the fault
   * tells whether it can have been carried out.
   */
  async send(command: Tl1Command, timeoutMs: number): Promise<Tl1Answer> {
    await this.open();
    const answer = await this.#enqueue(command, timeoutMs);
    if (answer.response.code !== 'DENY' || !LOGIN_NEEDED.has(denial(answer.response).code)) return answer;
    // The element forgot our login; it refused without looking, so that sending again is safe.
    await this.#logIn();
    return this.#enqueue(command, timeoutMs);
  }

  #enqueue(command: Tl1Command, timeoutMs: number): Promise<Tl1Answer> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.length >= LONGEST_QUEUE) {
        reject(new DeviceFault('busy', `${this.#to.device}: too many commands waiting`));
        return;
      }
      this.#waiting.push({ command, timeoutMs, resolve, reject });
      this.#pump();
    });
  }

  #now(command: Tl1Command, timeoutMs: number): Promise<Tl1Answer> {
    return new Promise((resolve, reject) => {
      this.#write({ command, timeoutMs, resolve, reject });
    });
  }

  #pump(): void {
    while (this.#ready && this.#waiting.length > 0 && this.#underWay.size < this.#to.depth) {
      this.#write(this.#waiting.shift() as Waiting);
    }
  }

  #write(waiting: Waiting): void {
    const socket = this.#socket;
    if (socket === undefined || socket.destroyed) {
      waiting.reject(new DeviceFault('unreachable', `${this.#to.device}: not connected`));
      return;
    }
    this.#ctag = (this.#ctag % 999_999) + 1;
    const ctag = `${this.#ctag}`;
    const command = this.#to.tid === undefined ? waiting.command : { tid: this.#to.tid, ...waiting.command };
    let text: string;
    try {
      text = formatCommand(command, ctag);
    } catch (error) {
      waiting.reject(
        new DeviceFault('unsupported', error instanceof Error ? error.message : 'not a command', {
          cause: error,
        }),
      );
      return;
    }
    const cancel = this.#clock.alarm(instant(this.#clock.now() + waiting.timeoutMs), () => {
      this.#underWay.delete(ctag);
      waiting.reject(
        new DeviceFault('timeout', `${this.#to.device}: no answer to ${waiting.command.verb}`, {
          sent: true,
        }),
      );
      this.#pump();
    });
    this.#underWay.set(ctag, { ...waiting, text, cancel });
    socket.write(text);
  }

  #receive(unit: Tl1Unit): void {
    switch (unit.kind) {
      case 'autonomous':
        this.#autonomous(unit);
        return;
      case 'ack':
        // IP, PF and OK promise an answer; RL, NA and NG say that there will be none.
        if (unit.code === 'IP' || unit.code === 'PF' || unit.code === 'OK') return;
        this.#settle(unit.ctag, (w) =>
          w.reject(
            new DeviceFault(
              unit.code === 'RL' ? 'busy' : 'refused',
              `${this.#to.device}: ${w.command.verb} answered ${unit.code}`,
            ),
          ),
        );
        return;
      case 'broken':
        if (unit.ctag === undefined) for (const lost of this.#lost) lost();
        else {
          this.#settle(unit.ctag, (w) =>
            w.reject(
              new DeviceFault('protocol', `${this.#to.device}: answer to ${w.command.verb} was ${unit.why}`, {
                sent: true,
              }),
            ),
          );
        }
        return;
      case 'response':
        // DELAY promises a later answer under the same CTAG.
        if (unit.code === 'DELAY') return;
        this.#settle(unit.ctag, (w) => w.resolve({ response: unit, sent: redacted(w.text) }));
    }
  }

  #settle(ctag: string, act: (waiting: UnderWay) => void): void {
    const waiting = this.#underWay.get(ctag);
    if (waiting === undefined) {
      // An answer to nobody's question: late, or not meant for us. It must not settle anything.
      this.#tell({ event: 'device.stray_answer', device: this.#to.device, detail: `CTAG ${ctag}` });
      return;
    }
    this.#underWay.delete(ctag);
    waiting.cancel();
    act(waiting);
    this.#pump();
  }

  #autonomous(message: Tl1Autonomous): void {
    const number = /^\d{1,10}$/.test(message.atag) ? Number(message.atag) : undefined;
    const last = this.#atag;
    if (number !== undefined) {
      this.#atag = number;
      if (last !== undefined && number !== last + 1) {
        // Counting from the start again is a restart; anything else that is not the next one is a loss.
        this.#tell(
          number <= 1 && number < last
            ? { event: 'device.rebooted', device: this.#to.device, detail: 'ATAG began again' }
            : { event: 'device.events_lost', device: this.#to.device, from: `${last}`, to: message.atag },
        );
        for (const lost of this.#lost) lost();
      }
    }
    for (const listener of this.#listeners) listener(message);
  }

  #keepAlive(): void {
    this.#stopKeepAlive();
    const wait = this.#to.keepAliveMs ?? KEEP_ALIVE_MS;
    const next = (): void => {
      this.#stopKeepAlive = this.#clock.alarm(instant(this.#clock.now() + wait), () => {
        if (!this.#ready) return;
        next();
        if (this.#underWay.size > 0) return;
        this.#now({ verb: 'RTRV-HDR' }, READ_MS).catch(() => this.#socket?.destroy());
      });
    };
    next();
  }

  #down(why: string, onPurpose = false): void {
    this.#ready = false;
    this.#socket = undefined;
    this.#stopKeepAlive();
    const underWay = [...this.#underWay.values()];
    const waiting = this.#waiting;
    this.#underWay = new Map();
    this.#waiting = [];
    for (const w of underWay) {
      w.cancel();
      w.reject(new DeviceFault('unreachable', `${this.#to.device}: ${why}`, { sent: true }));
    }
    for (const w of waiting) w.reject(new DeviceFault('unreachable', `${this.#to.device}: ${why}`));
    if (!this.#closed) {
      if (!onPurpose) this.#tell({ event: 'device.unreachable', device: this.#to.device, error: why });
      // What changes while nobody listens is not reported later.
      for (const lost of this.#lost) lost();
    }
  }

  /**
   * Cuts the connection: what the element has not read yet, it will never read. What it has read may still be
   * carried out. The next command connects anew.
   */
  cut(): void {
    const socket = this.#socket;
    if (socket === undefined) return;
    socket.destroy();
    this.#down('cut', true);
  }

  /** Ends the session at the element where it still answers; what is under way is given up. */
  async close(): Promise<void> {
    this.#closed = true;
    const socket = this.#socket;
    if (socket === undefined) return;
    if (this.#ready) {
      await this.#now({ verb: 'CANC-USER', aid: [this.#to.user] }, 500).catch(() => {});
    }
    socket.destroy();
    if (this.#socket === socket) this.#down('closed');
  }
}
