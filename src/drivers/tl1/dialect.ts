/**
 * What differs between TL1 elements: the commands, what a cross-connect consists of, and how to read it back.
 * A dialect is pure: commands and text in, commands and facts out. When to send them is the driver's business.
 */
import type { Attachment } from '../../model/circuit.ts';
import type { Capabilities, Connect, DevicePort, Neighbour, PortState } from '../driver.ts';
import type { Tl1Command } from './format.ts';
import type { Tl1Autonomous, Tl1Response } from './parse.ts';
import { parseText } from './parse.ts';

/** One cross-connect in the element's own words; a Connect may need several side by side. */
export interface Part {
  readonly rate: string;
  readonly from: string;
  readonly to: string;
}

/** A part as the element lists it. */
export interface Cross extends Part {
  /** The text that carries the owner's tag, where there is any. */
  readonly tag: string;
  /** Set up, but not yet in service. */
  readonly pending: boolean;
}

/** Everything that a decision needs, read at one go. */
export interface Image {
  readonly crosses: readonly Cross[];
  /** Port labels, where the element has them. */
  readonly labels: ReadonlyMap<string, string>;
}

/** Commands in one batch go out together; the next batch waits for all their answers. */
export type Batches = readonly (readonly Tl1Command[])[];

export interface DialectOptions {
  /** How many ports the element has, for elements that want to be asked for a range. */
  readonly size?: number;
}

export interface Tl1Dialect {
  readonly name: string;
  readonly port: number;
  readonly depth: number;
  readonly capabilities: Capabilities;
  readonly greeting: readonly Tl1Command[];
  readonly retrieve: readonly Tl1Command[];
  image(answers: readonly Tl1Response[]): Image;
  /** Throws a DeviceFault of kind `unsupported` when the element cannot do it. */
  parts(connect: Connect): readonly Part[];
  /** The ends that a list of parts of one owner stands for. */
  ends(parts: readonly Part[]): { readonly in: Attachment; readonly out: Attachment };
  /** Can these two not be at once? */
  clash(a: Part, b: Part): boolean;
  enter(parts: readonly Part[], tag: string, image: Image): Batches;
  remove(parts: readonly Cross[], image: Image): Batches;
  /** Gives parts that are in place another tag, without touching the light. */
  retag(parts: readonly Cross[], tag: string, image: Image): Batches;
  readonly inventory: readonly Tl1Command[];
  view(answers: readonly Tl1Response[]): {
    readonly ports: readonly DevicePort[];
    readonly neighbours: readonly Neighbour[];
  };
  /** The port that an alarm is about, by its AID; undefined when it is about something else. */
  alarmed(aid: string): string | undefined;
  /** The change that a message reports; undefined when it reports none. */
  change(message: Tl1Autonomous): { readonly source: string; readonly user: string } | undefined;
}

/** Conditions that mean that no light comes in, as GR-833 and vendors call them. */
const NO_LIGHT: ReadonlySet<string> = new Set(['LOS', 'LOS-O', 'LOS-P', 'LOF', 'CARLOSS']);

/** What the lines of `REPT ALM` or `RTRV-ALM-ALL` say of ports: "AID[,AIDTYPE]:NTFCNCDE,CONDTYPE,SRVEFF,...". */
export function alarmsOf(lines: readonly string[], alarmed: Tl1Dialect['alarmed']): PortState[] {
  return lines.flatMap((line) => {
    if (!line.startsWith('"')) return [];
    const { aids, blocks } = parseText(line);
    const name = alarmed(aids[0] ?? '');
    const [code, condition = ''] = (blocks[1] ?? '').split(',');
    return name === undefined || !NO_LIGHT.has(condition) ? [] : [{ name, up: code === 'CL' }];
  });
}

/** Do two parts have an end in common? */
export const touches = (a: Part, b: Part): boolean =>
  a.from === b.from || a.from === b.to || a.to === b.from || a.to === b.to;

/** The same cross-connect, whichever way round it is listed. */
export const samePart = (a: Part, b: Part): boolean =>
  a.rate === b.rate && ((a.from === b.from && a.to === b.to) || (a.from === b.to && a.to === b.from));
