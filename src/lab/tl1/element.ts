/**
 * An emulated TL1 element on a real TCP port: logins, acknowledgements, echo, prompts, continuation pages,
 * autonomous messages with their numbering, and the faults it was told to have. What its commands mean is in
 * tl1-personality.ts.
 */
import { createServer, type Server, type Socket } from 'node:net';
import {
  CommandSplitter,
  formatAutonomous,
  formatResponse,
  parseCommand,
  type ReceivedCommand,
} from '../../drivers/tl1/format.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Random } from '../../kernel/random.ts';
import { type Faults, noFaults, takeLostAnswer, takeTime } from '../faults.ts';
import type { LabPort } from '../ports.ts';
import { CrossConnects } from './cross-connects.ts';
import { type Personality, personalities, type Reply } from './personality.ts';

export interface Tl1ElementOptions {
  readonly id: string;
  readonly dialect: keyof typeof personalities;
  readonly ports: readonly LabPort[];
  readonly user: string;
  readonly password: string;
  readonly faults?: Partial<Faults>;
}

interface Login {
  readonly socket: Socket;
  user: string | undefined;
  /** Answers go out in order of completion, each written whole. */
  closed: boolean;
}

export class Tl1Element {
  readonly id: string;
  readonly protocol = 'tl1';
  readonly dialect: string;
  readonly matrix = new CrossConnects();
  readonly faults: Faults;
  /** Commands carried out, for tests that count. */
  readonly received: string[] = [];
  readonly #options: Tl1ElementOptions;
  readonly #personality: Personality;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #logins = new Set<Login>();
  readonly #dark = new Set<string>();
  #server: Server | undefined;
  #atag = 0;
  #dbchg = 0;

  constructor(options: Tl1ElementOptions, clock: Clock, random: Random) {
    this.id = options.id;
    this.dialect = options.dialect;
    this.#options = options;
    this.#personality = personalities[options.dialect];
    this.#clock = clock;
    this.#random = random;
    this.faults = { ...noFaults(), ...options.faults };
  }

  listen(port = 0, host = '127.0.0.1'): Promise<number> {
    const server = createServer((socket) => this.#accept(socket));
    this.#server = server;
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, () => {
        const address = server.address();
        resolve(typeof address === 'object' && address !== null ? address.port : port);
      });
    });
  }

  async close(): Promise<void> {
    for (const { socket } of this.#logins) socket.destroy();
    const server = this.#server;
    this.#server = undefined;
    if (server !== undefined) await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  /** Loses its table and its sessions, and counts its messages from the start. */
  reboot(): void {
    this.matrix.clear();
    this.#atag = 0;
    for (const { socket } of this.#logins) socket.destroy();
  }

  /** Somebody else changes the element at its own console. */
  foreign(change: (matrix: CrossConnects) => void, text = 'ENT-CRS-STS3C:SOMEWHERE'): void {
    change(this.matrix);
    this.report('A', 'REPT DBCHG', [this.#changeText('CONSOLE', '7', text)]);
  }

  /** Somebody joins two ports at the console, under no name of ours. */
  joinByHand(a: string, z: string): void {
    const [rate, from, to] = this.#personality.whole(a, z);
    this.foreign(
      (matrix) => matrix.join(rate, from, to, '', this.#clock.now()),
      `ENT-CRS-${rate}:${from},${to}`,
    );
  }

  /** A fibre is pulled, or put back. */
  link(port: string, up: boolean): void {
    if (up) this.#dark.delete(port);
    else this.#dark.add(port);
    const [type, aid] = this.#personality.alarm(port);
    const line = `"${aid}:${up ? 'CL' : 'CR'},LOS,SA,,,NEND,RCV:\\"Loss Of Signal\\""`;
    this.report(up ? 'A' : '*C', `REPT ALM ${type}`, [line]);
  }

  /** Sends an autonomous message to all who are logged in. */
  report(alarm: string, verb: string, lines: readonly string[]): void {
    this.#atag += 1;
    if (this.faults.skipMessages > 0) {
      this.faults.skipMessages -= 1;
      return;
    }
    const text = formatAutonomous(this.#sid, this.#clock.now(), alarm, `${this.#atag}`, verb, lines);
    for (const login of this.#logins) if (login.user !== undefined) this.#write(login, text);
  }

  get #sid(): string {
    return this.#personality.quotedSid ? `"${this.id}"` : this.id;
  }

  #changeText(user: string, source: string, text: string): string {
    this.#dbchg += 1;
    return `"DBCHGSEQ=${this.#dbchg},USERID=${user},SOURCE=${source},PRIORITY=GEN_TL1_CMD:${text}:"`;
  }

  #accept(socket: Socket): void {
    const login: Login = { socket, user: undefined, closed: false };
    this.#logins.add(login);
    const splitter = new CommandSplitter();
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.on('close', () => {
      login.closed = true;
      this.#logins.delete(login);
    });
    if (this.#personality.banner !== '') this.#write(login, this.#personality.banner);
    socket.on('data', (chunk: Buffer) => {
      for (const text of splitter.push(chunk.toString('latin1'))) {
        // One after another would hide what pipelining gains: real elements work on several at once.
        this.#command(login, text).catch(() => socket.destroy());
      }
    });
  }

  async #command(login: Login, text: string): Promise<void> {
    const command = parseCommand(text);
    if (command === undefined) return;
    if (this.#personality.echo) this.#write(login, `${text.replace(/^(ACT-USER.*:).*$/i, '$1')};\r\n`);
    if (this.faults.mute) return;
    const { verb, ctag } = command;
    if (verb === 'ACT-USER') {
      const ok =
        command.aid === this.#options.user &&
        (command.blocks[1] ?? '').replace(/^"|"$/g, '') === this.#options.password;
      login.user = ok ? command.aid : undefined;
      this.#answer(login, command, ok ? { code: 'COMPLD' } : { code: 'DENY', error: 'PIUI' });
      return;
    }
    if (login.user === undefined) {
      this.#answer(login, command, { code: 'DENY', error: 'PLNA' });
      return;
    }
    if (verb === 'CANC-USER') {
      login.user = undefined;
      this.#answer(login, command, { code: 'COMPLD' });
      return;
    }
    if (verb === 'RTRV-HDR') {
      this.#answer(login, command, { code: 'COMPLD' });
      return;
    }
    const write = this.#personality.isWrite(verb);
    if (this.#personality.acks && write) this.#write(login, `IP ${ctag}\r\n<`);
    await takeTime(this.faults, write, this.#clock, this.#random);
    const denied = write ? this.faults.deny.shift() : undefined;
    const reply: Reply =
      denied !== undefined
        ? { code: 'DENY', error: denied }
        : this.#personality.answer(command, {
            matrix: this.matrix,
            ports: this.#options.ports,
            settleMs: this.faults.settleMs,
            now: this.#clock.now(),
            dark: this.#dark,
          });
    this.received.push(text);
    if (reply.changed !== undefined) {
      this.report('A', 'REPT DBCHG', [this.#changeText(login.user ?? '', ctag, reply.changed)]);
    }
    if (write && takeLostAnswer(this.faults)) return;
    this.#answer(login, command, reply);
  }

  #answer(login: Login, { ctag }: ReceivedCommand, reply: Reply): void {
    const lines =
      reply.error === undefined
        ? [...(reply.lines ?? [])]
        : [reply.error, `/* refused by the emulated element: ${reply.error} */`];
    const size = this.faults.pageLines > 0 ? this.faults.pageLines : Math.max(1, lines.length);
    let rest = lines;
    do {
      const page = rest.slice(0, size);
      rest = rest.slice(size);
      this.#write(
        login,
        formatResponse(this.#sid, this.#clock.now(), ctag, reply.code, page, rest.length > 0),
      );
      if (rest.length > 0 && this.faults.noise) this.report('*C', 'REPT ALM OC192', ['"OC192-1:CR,LOS,SA"']);
    } while (rest.length > 0);
    if (this.#personality.prompt !== '') this.#write(login, this.#personality.prompt);
  }

  #write(login: Login, text: string): void {
    if (login.closed) return;
    const bytes = Buffer.from(text, 'latin1');
    const step = this.faults.dripBytes;
    if (step <= 0) {
      login.socket.write(bytes);
      return;
    }
    for (let at = 0; at < bytes.length; at += step) login.socket.write(bytes.subarray(at, at + step));
  }
}
