/**
 * The native notation of SNDlib: sections of parentheses, one thing a line. Its capacities have no unit; they
 * are read as Gb/s: what is installed, else the largest module that could be. Demands and paths are left out.
 */
import { HIGHEST_MBPS } from '../../model/capacity.ts';
import type { LinkDocument, NodeDocument, TopologyDocument } from '../document.ts';
import {
  clientPorts,
  type Draft,
  type Format,
  fibreLatency,
  linesBy,
  MAX_TEXT,
  type Problem,
  type ReadOptions,
  unreadable,
} from './format.ts';

const NODE = /^(\S+)(?: \( (\S+) (\S+) \))?$/;
const LINK = /^(\S+) \( (\S+) (\S+) \) (\S+) (\S+) (\S+) (\S+) \(([^()]*)\)$/;
const LONGEST_ROW = 4096;

/** What is wrong with a row. */
class Complaint {
  readonly code: string;
  readonly message: string;
  constructor(code: string, message: string) {
    this.code = code;
    this.message = message;
  }
}

function read(text: string, options: ReadOptions): Draft {
  if (text.length > MAX_TEXT) return unreadable(1, 'TOO_LARGE', `at most ${MAX_TEXT} characters are read`);
  const rows = text.split('\n');
  if (!/^\?SNDlib native format; type: network;/.test(rows[0] ?? '')) {
    return unreadable(1, 'NOT_SNDLIB', 'the first line is not that of an SNDlib network');
  }
  const problems: Problem[] = [];
  const lines = new Map<string, number>([['', 1]]);
  const nodes = new Map<string, NodeDocument>();
  const links: LinkDocument[] = [];
  let section = '';
  rows.forEach((raw, i) => {
    const row = tidy(raw);
    const opens = /^([A-Z_]+) \($/.exec(row);
    let made: Complaint | undefined;
    if (raw.length > LONGEST_ROW) made = new Complaint('TOO_LONG', 'no line is that long');
    else if (row === ')') section = '';
    else if (section === '' && opens !== null) section = opens[1] as string;
    else if (section === 'NODES' && row !== '') {
      const node = readNode(row, nodes);
      if (node instanceof Complaint) made = node;
      else {
        lines.set(`/nodes/${nodes.size}`, i + 1);
        lines.set(`/ports/${nodes.size}`, i + 1);
        nodes.set(node.id, node);
      }
    } else if (section === 'LINKS' && row !== '') {
      const link = readLink(row, nodes, options);
      if (link instanceof Complaint) made = link;
      else {
        lines.set(`/links/${links.length}`, i + 1);
        links.push(link);
      }
    }
    if (made !== undefined) problems.push({ severity: 'ERROR', pointer: '', line: i + 1, ...made });
  });
  const list = [...nodes.values()];
  const value: TopologyDocument = {
    domain: options.domain,
    prefix: options.prefix,
    nodes: list,
    ports: clientPorts(list, options),
    links,
  };
  return { value, problems, lineOf: linesBy(lines) };
}

const tidy = (raw: string): string =>
  raw.slice(0, LONGEST_ROW).replace(/#.*$/, '').replace(/\s+/g, ' ').trim();

function readNode(row: string, nodes: ReadonlyMap<string, NodeDocument>): NodeDocument | Complaint {
  const [, id, x, y] = NODE.exec(row) ?? [];
  if (id === undefined) return new Complaint('BAD_NODE', 'a node is a name and, in parentheses, two numbers');
  if (nodes.has(id)) return new Complaint('DUPLICATE_ID', `another node is called "${id}" already`);
  if (x === undefined || y === undefined) return { id };
  const [longitude, latitude] = [Number(x), Number(y)];
  if (!Number.isFinite(longitude) || !Number.isFinite(latitude)) {
    return new Complaint('BAD_NUMBER', `"${x} ${y}" are no coordinates`);
  }
  // Some instances use a plane instead of the globe: what cannot be a place on it is left out.
  return Math.abs(longitude) <= 180 && Math.abs(latitude) <= 90 ? { id, longitude, latitude } : { id };
}

function readLink(
  row: string,
  nodes: ReadonlyMap<string, NodeDocument>,
  options: ReadOptions,
): LinkDocument | Complaint {
  const [, id, from, to, installed, , routing, , modules] = LINK.exec(row) ?? [];
  if (id === undefined || from === undefined || to === undefined) {
    return new Complaint('BAD_LINK', 'a link is a name, two nodes, four numbers and its modules');
  }
  const [a, z] = [nodes.get(from), nodes.get(to)];
  if (a === undefined || z === undefined) {
    return new Complaint('DANGLING_LINK', 'an end of this link is no node');
  }
  const sizes = (modules ?? '')
    .trim()
    .split(' ')
    .filter((_, i) => i % 2 === 0)
    .map(Number);
  const capacity = Number(installed);
  const gbps = capacity === 0 ? Math.max(0, ...sizes) : capacity;
  const cost = Number(routing);
  if (!(gbps >= 0 && gbps < 2e6)) return new Complaint('BAD_NUMBER', `"${installed}" is no capacity`);
  if (!(cost >= 0 && cost < 1e9)) return new Complaint('BAD_NUMBER', `"${routing}" is no cost`);
  const latency = fibreLatency(a, z);
  return {
    id,
    a: { node: from, port: id },
    z: { node: to, port: id },
    // Not every instance counts in Gb/s: what is beyond any link is taken for the largest that there is.
    capacity_mbps:
      gbps > 0 ? Math.min(HIGHEST_MBPS, Math.max(1, Math.round(gbps * 1000))) : options.capacityMbps,
    latency_ms: latency,
    cost: cost > 0 ? cost : latency,
  };
}

export const sndlib: Format = { name: 'sndlib', mediaType: 'text/plain', read };
