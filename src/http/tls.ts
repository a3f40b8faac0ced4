/** TLS of our own servers, and the certificate that a client has shown. Nobody is judged here. */
import { constants } from 'node:crypto';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';

export interface ServerTls {
  readonly key: string;
  readonly certificate: string;
  /** Ask clients for theirs; `true` unless said otherwise. */
  readonly askCertificate?: boolean;
}

/**
 * Any certificate may knock: one that the library does not know is judged by us, by its pin. No tickets, so
 * that every connection has shown its certificate itself.
 */
export const mutualTls = ({ key, certificate, askCertificate = true }: ServerTls) => ({
  key,
  cert: certificate,
  requestCert: askCertificate,
  rejectUnauthorized: false,
  minVersion: 'TLSv1.3' as const,
  secureOptions: constants.SSL_OP_NO_TICKET,
});

const certificates = new WeakMap<Socket, Uint8Array>();

/** The same bytes for every request of a connection: it is asked for once. */
export function certificateOf(socket: Socket): Uint8Array | undefined {
  const known = certificates.get(socket);
  if (known !== undefined) return known;
  // Absent on a plain socket.
  const shown = (socket as Partial<TLSSocket>).getPeerX509Certificate?.()?.raw;
  if (shown !== undefined) certificates.set(socket, shown);
  return shown;
}
