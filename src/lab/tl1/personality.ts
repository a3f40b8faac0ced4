/**
 * How three kinds of TL1 element answer: each turns a command into changes of its matrix and lines of text.
 * Written from the outside, from what such elements send, and sharing only the grammar with the driver.
 */

import type { LabPort } from '../ports.ts';
import type { CrossConnects, Refusal } from './cross-connects.ts';
import { type ReceivedCommand, splitNames } from './words.ts';

export interface Reply {
  readonly code: 'COMPLD' | 'DENY';
  readonly lines?: readonly string[];
  readonly error?: string;
  /** The element's data base has changed: what the report of it says, or nothing where it makes none. */
  readonly changed?: string;
}

export interface Matter {
  readonly matrix: CrossConnects;
  readonly ports: readonly LabPort[];
  readonly settleMs: number;
  readonly now: number;
  /** Ports without light. */
  readonly dark: ReadonlySet<string>;
}

export interface Personality {
  readonly name: 'polatis' | 'ome6500' | 'ons15454';
  readonly banner: string;
  readonly prompt: string;
  readonly echo: boolean;
  readonly quotedSid: boolean;
  readonly acks: boolean;
  isWrite(verb: string): boolean;
  answer(command: ReceivedCommand, matter: Matter): Reply;
  /** The rate and the two ends that join all of two ports. */
  whole(a: string, z: string): readonly [rate: string, from: string, to: string];
  /** The kind of thing that an alarm of a port is about, and its AID. */
  alarm(port: string): readonly [type: string, aid: string];
}

const done = (lines: readonly string[] = []): Reply => ({ code: 'COMPLD', lines });
const no = (error: string): Reply => ({ code: 'DENY', error });
const outcome = (refusal: Refusal | undefined, changed?: string): Reply =>
  refusal === undefined ? { code: 'COMPLD', ...(changed === undefined ? {} : { changed }) } : no(refusal);

const alarms = ({ dark }: Matter, of: Personality['alarm']): Reply =>
  done(
    [...dark].map((port) => {
      const [type, aid] = of(port);
      return `"${aid},${type}:CR,LOS,SA,,,NEND,RCV:\\"Loss Of Signal\\""`;
    }),
  );

const isChange = (verb: string): boolean => /^(ENT|DLT|ED|SET)-/.test(verb);

const polatis: Personality = {
  name: 'polatis',
  banner: '\r\nOptical switch\r\n',
  prompt: '\r\n',
  echo: false,
  quotedSid: false,
  acks: false,
  isWrite: isChange,
  whole: (a, z) => ['', a, z],
  alarm: (port) => ['PORT', port],
  answer({ verb, aid, blocks }, matter) {
    const { matrix, ports, now, settleMs } = matter;
    const known = (name: string): boolean => ports.some((port) => port.name === name);
    switch (verb) {
      case 'RTRV-ALM-ALL':
        return alarms(matter, polatis.alarm);
      case 'RTRV-NETYPE':
        return done(['"TURNPIKE LAB,FIBRE SWITCH,OCS,1"']);
      case 'RTRV-PATCH':
        return done(matrix.list().map((j) => `"${j.from},${j.to}"`));
      case 'RTRV-PORT-LABEL':
        return done(ports.map((port) => `"${port.name}:${matrix.labels.get(port.name) ?? ''}"`));
      case 'ED-PORT-LABEL': {
        const label = splitNames(blocks).get('LABEL');
        if (!known(aid)) return no('IIAC');
        if (label === undefined || label === '') return no('IDNV');
        matrix.labels.set(aid, label);
        return done();
      }
      case 'DLT-PORT-LABEL':
        if (!known(aid)) return no('IIAC');
        // A port without a label has nothing to take away.
        matrix.labels.delete(aid);
        return done();
      case 'ENT-PATCH': {
        const [froms, tos] = aid.split(',').map((side) => side.split('&'));
        if (froms === undefined || tos === undefined || froms.length !== tos.length) return no('IIAC');
        if (![...froms, ...tos].every(known)) return no('IIAC');
        // Many pairs in one command are all or none.
        const pairs = froms.map((from, i) => [from, tos[i] as string] as const);
        for (const [i, [from, to]] of pairs.entries()) {
          const refusal = matrix.join('', from, to, '', now + settleMs);
          if (refusal === undefined) continue;
          for (const [f, t] of pairs.slice(0, i)) matrix.part('', f, t);
          return no(refusal);
        }
        return done();
      }
      case 'DLT-PATCH': {
        for (const from of aid.split('&')) {
          const refusal = matrix.part('', from, undefined);
          if (refusal !== undefined) return no(refusal);
        }
        return done();
      }
      default:
        return no('IICM');
    }
  },
};

/** What the two SONET elements share; they differ in how AIDs and lists look. */
function sonet(
  verbs: { readonly list: string; readonly adjacency: boolean },
  aid: RegExp,
  show: (rate: string, tag: string, inService: boolean) => string,
  alarm: Personality['alarm'],
): Personality['answer'] {
  return (command, matter) => {
    const { matrix, ports, now, settleMs } = matter;
    const { verb, blocks } = command;
    if (verb === 'RTRV-ALM-ALL') return alarms(matter, alarm);
    if (verb === verbs.list) {
      return done(matrix.list().map((j) => `"${j.from},${j.to}:${show(j.rate, j.tag, now >= j.liveAt)}"`));
    }
    const change = /^(ENT|DLT|ED)-CRS-(STS\d+C?)$/.exec(verb);
    if (change !== null) {
      const [from, to] = command.aid.split(',');
      if (from === undefined || to === undefined) return no('IIAC');
      const read = [aid.exec(from), aid.exec(to)];
      if (read.some((match) => match === null || !ports.some((port) => port.name === match[1]))) {
        return no('IIAC');
      }
      const rate = change[2] as string;
      const tag = splitNames(blocks).get('CKTID') ?? '';
      const text = `${verb}:${from},${to}`;
      if (change[1] === 'ENT') return outcome(matrix.join(rate, from, to, tag, now + settleMs), text);
      if (change[1] === 'ED') return outcome(matrix.retag(rate, from, to, tag), text);
      return outcome(matrix.part(rate, from, to), text);
    }
    if (/^ALW-MSG-/.test(verb)) return done();
    if (verb === 'RTRV-RTG-INFO' && verbs.adjacency) {
      return done(ports.map((port) => `"OC192-${port.name}::BW=${port.speedMbps ?? 9953}:"`));
    }
    if (verb === 'RTRV-AD-ALL' && verbs.adjacency) {
      return done(
        ports.flatMap(({ name, neighbour }) =>
          neighbour === undefined
            ? []
            : [`"ADJ-${name}::FETID=${neighbour.device},FEAID=ADJ-${neighbour.port}:IS-NR"`],
        ),
      );
    }
    if (verb === 'RTRV-INV' && !verbs.adjacency) {
      return done(ports.map((port) => `"SLOT-${port.name},OC192::PN=87-31-00002:IS-NR"`));
    }
    return no('IICM');
  };
}

const opticalPort: Personality['alarm'] = (port) => ['OC192', `OC192-${port}`];
const facility: Personality['alarm'] = (port) => ['OC192', `FAC-${port}`];

const ome6500: Personality = {
  name: 'ome6500',
  banner: '\r\n\r\nNotice: this is an emulated network element.\r\n',
  prompt: '\r\n< ',
  echo: true,
  quotedSid: true,
  acks: true,
  isWrite: isChange,
  whole: (a, z) => ['STS192C', `STS192C-${a}-1`, `STS192C-${z}-1`],
  alarm: opticalPort,
  answer: sonet(
    { list: 'RTRV-CRS-ALL', adjacency: true },
    /^STS\d+C-(\d+-\d+-\d+)-\d+$/,
    (_rate, tag, live) => `2WAY:CKTID=\\"${tag}\\":${live ? 'IS-NR' : 'OOS-AUMA'}`,
    opticalPort,
  ),
};

const ons15454: Personality = {
  name: 'ons15454',
  banner: '',
  prompt: '\r\n> ',
  echo: true,
  quotedSid: false,
  acks: false,
  isWrite: isChange,
  whole: (a, z) => ['STS192C', `STS-${a}-1`, `STS-${z}-1`],
  alarm: facility,
  answer: sonet(
    { list: 'RTRV-CRS', adjacency: false },
    /^STS-(\d+(?:-\d+)?)-\d+$/,
    (rate, tag, live) => `2WAY,${rate}:CKTID=\\"${tag}\\":${live ? 'IS-NR' : 'OOS-AU,AINS'}`,
    facility,
  ),
};

export const personalities = { polatis, ome6500, ons15454 } as const;
