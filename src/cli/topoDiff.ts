/**
 * What differs between two topologies, thing by thing and field by field, in the words of the document. The
 * order of a list says nothing: things are told apart by their names.
 */
import { isJson, items, type Json, text } from './output.ts';

export interface Difference {
  readonly change: 'ADDED' | 'REMOVED' | 'CHANGED';
  readonly kind: string;
  readonly id: string;
  readonly field?: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

/** Every list of the document, what a member is called, and which field names it. */
const LISTS = [
  ['nodes', 'node', 'id'],
  ['ports', 'port', 'id'],
  ['links', 'link', 'id'],
  ['neighbours', 'neighbour', 'domain'],
  ['sites', 'site', 'id'],
  ['port_groups', 'port group', 'id'],
  ['srlgs', 'risk group', 'id'],
  ['maintenance_windows', 'maintenance', 'id'],
] as const;

export function differences(before: Json, after: Json): Difference[] {
  const found: Difference[] = [];
  for (const [list, kind, name] of LISTS) {
    const old = byName(before[list], name);
    const now = byName(after[list], name);
    for (const [id, thing] of old) {
      const other = now.get(id);
      if (other === undefined) found.push({ change: 'REMOVED', kind, id });
      else found.push(...fieldsOf(kind, id, thing, other));
    }
    for (const id of now.keys()) if (!old.has(id)) found.push({ change: 'ADDED', kind, id });
  }
  for (const field of ['domain', 'prefix']) {
    if (before[field] !== after[field])
      found.push({
        change: 'CHANGED',
        kind: 'topology',
        id: '',
        field,
        before: before[field],
        after: after[field],
      });
  }
  return found;
}

const byName = (list: unknown, name: string): Map<string, Json> =>
  new Map(items(list).map((thing) => [text(thing[name]), thing]));

function fieldsOf(kind: string, id: string, before: Json, after: Json): Difference[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return names
    .filter((field) => canonical(before[field]) !== canonical(after[field]))
    .map((field) => ({
      change: 'CHANGED',
      kind,
      id,
      field,
      ...(before[field] === undefined ? {} : { before: before[field] }),
      ...(after[field] === undefined ? {} : { after: after[field] }),
    }));
}

/** The order of keys says nothing either. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (!isJson(value)) return JSON.stringify(value) ?? '';
  return `{${Object.keys(value)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`)
    .join(',')}}`;
}

/**
 * A file says what the network should be; what was seen of it, and what is announced, live in the broker and
 * stay unless the file speaks of them.
 */
export function withWhatRuns(file: Json, running: Json): Json {
  const seen = (list: 'nodes' | 'links'): Json[] => {
    const known = byName(running[list], 'id');
    return items(file[list]).map((thing) => {
      const state = known.get(text(thing['id']))?.['oper_state'];
      return state === undefined || thing['oper_state'] !== undefined
        ? thing
        : { ...thing, oper_state: state };
    });
  };
  const windows = running['maintenance_windows'];
  return {
    ...file,
    nodes: seen('nodes'),
    links: seen('links'),
    ...(windows === undefined || file['maintenance_windows'] !== undefined
      ? {}
      : { maintenance_windows: windows }),
  };
}
