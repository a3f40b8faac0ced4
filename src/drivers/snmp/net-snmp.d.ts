/** The part of net-snmp that we use; the package brings no types. */
declare module 'net-snmp' {
  import type { EventEmitter } from 'node:events';

  export interface RawVarbind {
    oid: string;
    type: number;
    value: number | Buffer | string | boolean | null;
  }
  export interface User {
    name: string;
    level: number;
    authProtocol?: string;
    authKey?: string;
    privProtocol?: string;
    privKey?: string;
  }
  export interface SessionOptions {
    port?: number;
    retries?: number;
    timeout?: number;
    version?: number;
    transport?: string;
    context?: string;
    reportOidMismatchErrors?: boolean;
    backwardsGetNexts?: boolean;
    dgramModule?: { createSocket(transport: string): EventEmitter };
  }
  export interface Session extends EventEmitter {
    get(oids: string[], done: (error: Error | null, varbinds?: RawVarbind[]) => void): void;
    getBulk(
      oids: string[],
      nonRepeaters: number,
      maxRepetitions: number,
      done: (error: Error | null, varbinds?: (RawVarbind | RawVarbind[])[]) => void,
    ): void;
    set(varbinds: RawVarbind[], done: (error: Error | null, varbinds?: RawVarbind[]) => void): void;
    close(): void;
    /** v3: what the other engine said of itself. */
    readonly msgSecurityParameters?: { readonly msgAuthoritativeEngineID: Buffer };
  }
  interface NetSnmp {
    createSession(target: string, community: string, options: SessionOptions): Session;
    createV3Session(target: string, user: User, options: SessionOptions): Session;
    readonly Version2c: number;
    readonly SecurityLevel: { readonly authPriv: number };
    readonly AuthProtocols: { readonly sha256: string };
    readonly PrivProtocols: { readonly aes: string };
    readonly RequestFailedError: new (...args: never[]) => Error & { readonly status: number };
    readonly RequestTimedOutError: new (
      ...args: never[]
    ) => Error & { readonly name: 'RequestTimedOutError' };
    readonly ResponseInvalidError: new (...args: never[]) => Error & { readonly code: number };
    readonly ResponseInvalidCode: Readonly<Record<string, number>>;
  }
  const snmp: NetSnmp;
  export default snmp;
}
