/** A port id is `prefix:local`; the prefix names the domain. Both parts are bounded, so that parsing is too. */

export type PortId = `${string}:${string}`;

export interface Port {
  readonly prefix: string;
  readonly local: string;
}

const PORT = /^([a-z][a-z0-9-]{0,15}):([A-Za-z0-9._/-]{1,64})$/;

export const PREFIX_PATTERN = '^[a-z][a-z0-9-]{0,15}$';
export const PORT_PATTERN = PORT.source;
/** Anything longer is refused before any pattern looks at it. */
export const PORT_MAX_LENGTH = 16 + 1 + 64;

export function parsePort(text: string): Port | undefined {
  if (text.length > PORT_MAX_LENGTH) return undefined;
  const match = PORT.exec(text);
  return match === null ? undefined : { prefix: match[1] as string, local: match[2] as string };
}

export const prefixOf = (port: PortId): string => port.slice(0, port.indexOf(':'));
