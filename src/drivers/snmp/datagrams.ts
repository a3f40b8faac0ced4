/**
 * The socket that net-snmp is given in place of its own: connected, so that the kernel drops what comes from any
 * other address, and with a look at each datagram before the library sees it. The library matches answers by
 * their number only and would take an unsigned answer to a signed question; here only Reports may be less
 * protected than the session, as the protocol needs them to be.
 */
import type { Socket } from 'node:dgram';
import { EventEmitter } from 'node:events';
import { Flag, PduType, readMessage, readScoped } from './codec.ts';

export interface Guard {
  readonly open: (type: 'udp4' | 'udp6') => Socket;
  readonly host: string;
  readonly port: number;
  /** The flags that an answer must carry; undefined for communities. */
  readonly flags: number | undefined;
  readonly onStray: (detail: string) => void;
  readonly onError: (error: Error) => void;
  readonly onPeer: (address: string) => void;
}

function acceptable(datagram: Buffer, flags: number | undefined): string | undefined {
  try {
    const message = readMessage(datagram);
    if (message.version === 1) return flags === undefined ? undefined : 'version 2c in a version 3 session';
    if (flags === undefined) return 'version 3 in a community session';
    const both = Flag.Auth | Flag.Priv;
    if ((message.flags & both) === (flags & both)) return undefined;
    if ((message.flags & Flag.Priv) !== 0) return 'protected otherwise than the session';
    return readScoped(message.scoped).pdu.type === PduType.Report
      ? undefined
      : 'less protected than the session';
  } catch (error) {
    return error instanceof Error ? error.message : 'not understood';
  }
}

/** Has the methods of a datagram socket that net-snmp calls, and no others. */
class GuardedSocket extends EventEmitter {
  readonly #socket: Socket;
  readonly #waiting: (() => void)[] = [];
  #connected = false;
  #closed = false;

  constructor(transport: string, guard: Guard) {
    super();
    this.#socket = guard.open(transport === 'udp6' ? 'udp6' : 'udp4');
    this.#socket.on('error', (error) => guard.onError(error));
    this.#socket.on('message', (datagram) => {
      const stray = acceptable(datagram, guard.flags);
      if (stray === undefined) this.emit('message', datagram);
      else guard.onStray(stray);
    });
    this.#socket.on('close', () => this.emit('close'));
    this.#socket.connect(guard.port, guard.host, () => {
      this.#connected = true;
      guard.onPeer(this.#socket.remoteAddress().address);
      for (const send of this.#waiting.splice(0)) send();
    });
  }

  send(
    buffer: Buffer,
    _offset: number,
    _length: number,
    _port: number,
    _host: string,
    done: (error: Error | null) => void,
  ): void {
    const send = (): void => {
      if (this.#closed) done(new Error('socket is closed'));
      else this.#socket.send(buffer, (error) => done(error));
    };
    if (this.#connected) send();
    else this.#waiting.push(send);
  }

  bind(): void {}
  ref(): this {
    this.#socket.ref();
    return this;
  }
  unref(): this {
    this.#socket.unref();
    return this;
  }
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.close();
  }
}

export const guardedDatagrams = (guard: Guard): { createSocket(transport: string): EventEmitter } => ({
  createSocket: (transport) => new GuardedSocket(transport, guard),
});
