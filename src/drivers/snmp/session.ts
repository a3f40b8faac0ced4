/**
 * One warm SNMP session with one agent, over net-snmp: at most one SET and four questions under way, questions
 * asked twice, a SET never. Every variable of every answer is looked at: an answer without an error may still
 * carry an exception. v3 with SHA-256 and AES-128 is the default, v2c is for laboratories.
 */
import { createSocket } from 'node:dgram';
import snmp, { type RawVarbind, type Session } from 'net-snmp';
import { type Clock, instant } from '../../kernel/clock.ts';
import type { Tell } from '../events.ts';
import { asFault, DeviceFault, type FaultKind } from '../fault.ts';
import { compareOids, oidParts, Tag, type Value } from './ber.ts';
import { Flag, type VarBind } from './codec.ts';
import { guardedDatagrams } from './datagrams.ts';
import { type StatusName, statusNames } from './oids.ts';

export type Credentials =
  | { readonly version: 'v2c'; readonly community: () => string }
  | {
      readonly version: 'v3';
      readonly user: string;
      readonly authKey: () => string;
      readonly privKey: () => string;
      /** contextName, where one address stands for several switches. */
      readonly context?: string;
    };

export interface SnmpEndpoint {
  readonly device: string;
  readonly host: string;
  readonly port: number;
  readonly credentials: Credentials;
  readonly getMs?: number;
  readonly setMs?: number;
}

const GET_MS = 1_500;
const SET_MS = 8_000;
const GET_TRIES = 2;
const GETS_AT_ONCE = 4;
const REPETITIONS = 24;
/** More rows than any table of ours; an agent that never ends its table is stopped here. */
const MOST_ROWS = 200_000;

/** The agent said no. After commitFailed and undoFailed nobody knows what it did: RFC 3416 says so. */
export class SnmpRefusal extends DeviceFault {
  readonly status: StatusName;
  /** The variable that it objects to. */
  readonly oid: string | undefined;
  constructor(device: string, status: StatusName, oid: string | undefined) {
    super(kindOf(status), `${device}: ${status}${oid === undefined ? '' : ` at ${oid}`}`, {
      sent: status === 'commitFailed' || status === 'undoFailed' || status === 'genErr',
    });
    this.status = status;
    this.oid = oid;
  }
}

function kindOf(status: StatusName): FaultKind {
  if (status === 'resourceUnavailable') return 'busy';
  if (status === 'authorizationError' || status === 'noAccess') return 'credentials';
  if (status === 'inconsistentValue') return 'conflict';
  return 'refused';
}

/** A place to wait in; at most `room` go in at once, in order. */
class Gate {
  #room: number;
  readonly #waiting: (() => void)[] = [];
  constructor(room: number) {
    this.#room = room;
  }
  async pass<T>(work: () => Promise<T>): Promise<T> {
    if (this.#room > 0) this.#room -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#room += 1;
      else next();
    }
  }
}

function fromRaw({ oid, type, value }: RawVarbind): VarBind {
  switch (type) {
    case Tag.Integer:
    case Tag.Counter32:
    case Tag.Gauge32:
    case Tag.TimeTicks:
      return { oid, value: { tag: type, value: Number(value) } };
    case Tag.OctetString:
    case Tag.Opaque:
      return {
        oid,
        value: { tag: type, value: Buffer.isBuffer(value) ? value : Buffer.from(String(value)) },
      };
    case Tag.Oid:
      return { oid, value: { tag: type, value: String(value) } };
    case Tag.IpAddress:
      return { oid, value: { tag: type, value: Buffer.from(String(value).split('.').map(Number)) } };
    case Tag.Counter64:
      return {
        oid,
        value: {
          tag: type,
          value: Buffer.isBuffer(value) ? BigInt(`0x${value.toString('hex') || '0'}`) : 0n,
        },
      };
    case Tag.NoSuchObject:
    case Tag.NoSuchInstance:
    case Tag.EndOfMibView:
    case Tag.Null:
      return { oid, value: { tag: type, value: null } };
    default:
      throw new DeviceFault('protocol', `type ${type} not understood`);
  }
}

function toRaw({ oid, value }: VarBind): RawVarbind {
  if (typeof value.value === 'bigint') throw new DeviceFault('protocol', 'a Counter64 cannot be set');
  return { oid, type: value.tag, value: value.value };
}

export class SnmpSession {
  readonly #to: SnmpEndpoint;
  readonly #clock: Clock;
  readonly #session: Session;
  readonly #gets = new Gate(GETS_AT_ONCE);
  readonly #sets = new Gate(1);
  readonly #failing = new Set<(fault: DeviceFault) => void>();
  #peer: string | undefined;
  #closed = false;

  constructor(to: SnmpEndpoint, clock: Clock, tell: Tell) {
    this.#to = to;
    this.#clock = clock;
    const { credentials } = to;
    const options = {
      port: to.port,
      retries: 0,
      // Ours are shorter and on our clock; this one only cleans up.
      timeout: 2 * SET_MS,
      reportOidMismatchErrors: true,
      backwardsGetNexts: false,
      dgramModule: guardedDatagrams({
        open: createSocket,
        host: to.host,
        port: to.port,
        flags: credentials.version === 'v3' ? Flag.Auth | Flag.Priv : undefined,
        onStray: (detail) => tell({ event: 'device.stray_answer', device: to.device, detail }),
        onError: (error) => this.#fail(error),
        onPeer: (address) => {
          this.#peer = address;
        },
      }),
    };
    this.#session =
      credentials.version === 'v3'
        ? snmp.createV3Session(
            to.host,
            {
              name: credentials.user,
              level: snmp.SecurityLevel.authPriv,
              authProtocol: snmp.AuthProtocols.sha256,
              authKey: credentials.authKey(),
              privProtocol: snmp.PrivProtocols.aes,
              privKey: credentials.privKey(),
            },
            credentials.context === undefined ? options : { ...options, context: credentials.context },
          )
        : snmp.createSession(to.host, credentials.community(), { ...options, version: snmp.Version2c });
    // Without a listener an odd datagram would end the process.
    this.#session.on('error', (error: Error) =>
      tell({ event: 'device.stray_answer', device: to.device, detail: error.message }),
    );
  }

  /** The address that answers come from, once there is a socket to it. */
  get peer(): string | undefined {
    return this.#peer;
  }
  /** v3: the engine at the other end, once it has been asked. */
  get engineId(): Buffer | undefined {
    return this.#session.msgSecurityParameters?.msgAuthoritativeEngineID;
  }

  /** The kernel told us that nobody listens there: what waits need not wait for its time to run out. */
  #fail(error: Error): void {
    const fault = new DeviceFault('unreachable', `${this.#to.device}: ${error.message}`);
    for (const fail of [...this.#failing]) fail(fault);
  }

  #once<T>(
    ms: number,
    sent: boolean,
    ask: (done: (error: Error | null, value?: T) => void) => void,
  ): Promise<T> {
    if (this.#closed) return Promise.reject(new DeviceFault('unreachable', `${this.#to.device}: closed`));
    return new Promise<T>((resolve, reject) => {
      const settle = (act: () => void): void => {
        cancel();
        this.#failing.delete(fail);
        act();
      };
      const fail = (fault: DeviceFault): void =>
        settle(() => reject(new DeviceFault(fault.kind, fault.message, { sent })));
      const cancel = this.#clock.alarm(instant(this.#clock.now() + ms), () =>
        fail(new DeviceFault('timeout', `${this.#to.device}: no answer`)),
      );
      this.#failing.add(fail);
      ask((error, value) => {
        if (error !== null) settle(() => reject(this.#fault(error, sent)));
        else settle(() => resolve(value as T)); // present whenever there is no error
      });
    });
  }

  #fault(error: Error, sent: boolean): DeviceFault {
    const { device } = this.#to;
    if (error instanceof snmp.RequestFailedError) {
      const oid = /: ([\d.]+)$/.exec(error.message)?.[1];
      return new SnmpRefusal(device, statusNames[error.status] ?? 'genErr', oid);
    }
    if (error instanceof snmp.RequestTimedOutError) {
      return new DeviceFault('timeout', `${device}: no answer`, { sent });
    }
    if (error instanceof snmp.ResponseInvalidError) {
      // The library's message may quote keys' digests; its code says enough.
      const name =
        Object.entries(snmp.ResponseInvalidCode).find(([, code]) => code === error.code)?.[0] ??
        'invalid answer';
      const refused = name === 'EAuthFailure' || name === 'ECouldNotDecrypt';
      return new DeviceFault(refused ? 'credentials' : 'protocol', `${device}: ${name}`, {
        sent: sent && !refused,
      });
    }
    return new DeviceFault('unreachable', `${device}: ${error.message}`, { sent });
  }

  async #twice<T>(ask: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await ask();
      } catch (error) {
        if (attempt >= GET_TRIES || asFault(error).kind !== 'timeout') throw error;
      }
    }
  }

  /** The values in the order asked; exceptions are values here. */
  get(oids: readonly string[]): Promise<Value[]> {
    const ms = this.#to.getMs ?? GET_MS;
    return this.#gets.pass(() =>
      this.#twice(async () => {
        const raw = await this.#once<RawVarbind[]>(ms, false, (done) => this.#session.get([...oids], done));
        return raw.map((varbind) => fromRaw(varbind).value);
      }),
    );
  }

  /** All or nothing, once. A fault with `sent` may have been carried out. */
  set(varbinds: readonly VarBind[]): Promise<void> {
    return this.#sets.pass(async () => {
      const raw = await this.#once<RawVarbind[]>(this.#to.setMs ?? SET_MS, true, (done) =>
        this.#session.set(varbinds.map(toRaw), done),
      );
      for (const varbind of raw) {
        const { oid, value } = fromRaw(varbind);
        if (value.value === null) {
          throw new DeviceFault(
            'protocol',
            `${this.#to.device}: exception at ${oid} in an answer without error`,
            {
              sent: true,
            },
          );
        }
      }
    });
  }

  /** A column or subtree, by index below `root`. Asks for less at a time when the agent finds it too big. */
  async walk(root: string): Promise<Map<string, Value>> {
    const found = new Map<string, Value>();
    const ms = this.#to.getMs ?? GET_MS;
    let from = root;
    let repetitions = REPETITIONS;
    while (found.size < MOST_ROWS) {
      let rows: RawVarbind[];
      try {
        const raw = await this.#gets.pass(() =>
          this.#twice(() =>
            this.#once<(RawVarbind | RawVarbind[])[]>(ms, false, (done) =>
              this.#session.getBulk([from], 0, repetitions, done),
            ),
          ),
        );
        rows = raw.flat();
      } catch (error) {
        if (error instanceof SnmpRefusal && error.status === 'tooBig' && repetitions > 1) {
          repetitions = Math.floor(repetitions / 2);
          continue;
        }
        throw error;
      }
      for (const row of rows) {
        if (!row.oid.startsWith(`${root}.`)) return found;
        const { oid, value } = fromRaw(row);
        if (value.tag === Tag.EndOfMibView) return found;
        if (compareOids(oidParts(oid), oidParts(from)) <= 0) {
          throw new DeviceFault('protocol', `${this.#to.device}: table ${root} goes backwards`);
        }
        found.set(oid.slice(root.length + 1), value);
        from = oid;
      }
      if (rows.length === 0) return found;
    }
    throw new DeviceFault('protocol', `${this.#to.device}: table ${root} does not end`);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#session.close();
  }
}

/** Hears datagrams from anybody: where traps arrive. */
export function hearDatagrams(
  host: string,
  port: number,
  heard: (datagram: Buffer, address: string) => void,
): Promise<{ readonly port: number; close(): void }> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  socket.on('message', (datagram, from) => heard(datagram, from.address));
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(port, host, () => {
      // From here on an error is a datagram's, and no reason to stop hearing.
      socket.on('error', () => {});
      resolve({ port: socket.address().port, close: () => socket.close() });
    });
  });
}
