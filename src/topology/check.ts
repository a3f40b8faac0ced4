/**
 * What is wrong with a topology document that looks right: names that nobody has, links that lead nowhere or
 * carry nothing, labels that cannot be read. Each mistake has a code, the place in the document, and words.
 * An ERROR keeps a document from being applied; a WARNING is what people usually did not mean.
 */
import { parseLabels } from '../model/label.ts';
import type { LabelsDocument, MaintenanceDocument, TopologyDocument } from './document.ts';

export interface Mistake {
  readonly severity: 'ERROR' | 'WARNING';
  readonly code: string;
  /** JSON pointer into the document. */
  readonly pointer: string;
  readonly message: string;
}

const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/;

/** More than this of them help nobody. */
export const MAX_MISTAKES = 1_000;

export function checkDocument(document: TopologyDocument): Mistake[] {
  const mistakes: Mistake[] = [];
  const add = (severity: Mistake['severity'], code: string, pointer: string, message: string): void => {
    if (mistakes.length < MAX_MISTAKES) mistakes.push({ severity, code, pointer, message });
  };
  const error = (code: string, pointer: string, message: string): void =>
    add('ERROR', code, pointer, message);

  const unique = (kind: string, list: string, ids: readonly { readonly id: string }[]): Set<string> => {
    const seen = new Set<string>();
    ids.forEach(({ id }, i) => {
      if (seen.has(id))
        error('DUPLICATE_ID', `/${list}/${i}/id`, `another ${kind} is called "${id}" already`);
      seen.add(id);
    });
    return seen;
  };
  const nodes = unique('node', 'nodes', document.nodes);
  const ports = unique('port', 'ports', document.ports);
  unique('link', 'links', document.links);
  const sites = unique('site', 'sites', document.sites ?? []);
  unique('port group', 'port_groups', document.port_groups ?? []);
  const srlgs = unique('risk group', 'srlgs', document.srlgs ?? []);

  const labels = (of: LabelsDocument, pointer: string): void => {
    const given = (['vlans', 'wavelengths', 'time_slots'] as const).filter((name) => of[name] !== undefined);
    if (given.length + (of.unlabelled === true ? 1 : 0) > 1) {
      error('LABEL_KINDS', pointer, 'only one kind of label can tell circuits apart here');
    }
    for (const name of given) labelText(of[name] as string, `${pointer}/${name}`);
  };
  const labelText = (text: string, pointer: string): void => {
    const ranges = parseLabels(text);
    if (ranges === undefined) {
      error('BAD_LABELS', pointer, `"${text.slice(0, 60)}" is no list of labels like "2-99,200-4094"`);
      return;
    }
    const written = text.split(',').reduce((sum, part) => {
      const [low, high = low] = part.split('-').map(Number) as [number, number?];
      return sum + high - low + 1;
    }, 0);
    const meant = ranges.reduce((sum, [low, high]) => sum + high - low + 1, 0);
    if (written > meant) error('DUPLICATE_LABEL', pointer, `"${text.slice(0, 60)}" names a label twice`);
  };
  const windows = (list: readonly MaintenanceDocument[] | undefined, pointer: string): void => {
    list?.forEach(({ start_time, end_time }, i) => {
      const [start, end] = [start_time, end_time].map((time) =>
        RFC_3339.test(time) ? Date.parse(time) : Number.NaN,
      ) as [number, number];
      if (!(start < end))
        error('BAD_WINDOW', `${pointer}/maintenance/${i}`, 'ends before it starts, or is no time');
    });
  };

  document.nodes.forEach((node, i) => {
    if (node.site !== undefined && document.sites !== undefined && !sites.has(node.site)) {
      error('UNKNOWN_SITE', `/nodes/${i}/site`, `no site is called "${node.site}"`);
    }
    if (node.label_scope === 'NODE' && node.swaps_labels !== false) {
      error('LABEL_SCOPE', `/nodes/${i}/label_scope`, 'a node that has each VLAN only once cannot change it');
    }
    windows(node.maintenance, `/nodes/${i}`);
  });

  /** Who uses which port of which device: the first one there. */
  const taken = new Map<string, string>();
  const take = (node: string, port: string, by: string, pointer: string): void => {
    const key = JSON.stringify([node, port]);
    const before = taken.get(key);
    if (before !== undefined)
      error('PORT_TAKEN', pointer, `port "${port}" of "${node}" is used by ${before} already`);
    else taken.set(key, by);
  };
  document.ports.forEach((port, i) => {
    const at = `/ports/${i}`;
    if (!nodes.has(port.node)) error('DANGLING_PORT', `${at}/node`, `no node is called "${port.node}"`);
    if (!port.id.startsWith(`${document.prefix}:`)) {
      error('FOREIGN_PORT', `${at}/id`, `the ports of this domain begin with "${document.prefix}:"`);
    }
    if (port.capacity_mbps === 0)
      error('NO_CAPACITY', `${at}/capacity_mbps`, 'a port of 0 Mb/s carries nothing');
    if (port.remote !== undefined && port.kind === 'CLIENT') {
      error('REMOTE_CLIENT', `${at}/remote`, 'only a BORDER port leads to another domain');
    }
    labels(port, at);
    take(port.node, port.device_port ?? port.id.slice(port.id.indexOf(':') + 1), `port ${port.id}`, at);
  });

  const linked = new Set<string>();
  document.links.forEach((link, i) => {
    const at = `/links/${i}`;
    for (const end of ['a', 'z'] as const) {
      const { node, port } = link[end];
      if (nodes.has(node)) linked.add(node);
      else error('DANGLING_LINK', `${at}/${end}/node`, `no node is called "${node}"`);
      if (end === 'a' || link.a.node !== node || link.a.port !== port) {
        take(node, port, `link ${link.id}`, `${at}/${end}/port`);
      }
    }
    if (link.a.node === link.z.node) error('LOOP', at, `link "${link.id}" leads back to its own node`);
    if (link.capacity_mbps === 0)
      error('NO_CAPACITY', `${at}/capacity_mbps`, 'a link of 0 Mb/s carries nothing');
    if (link.capacity_za_mbps === 0) {
      error('ONE_WAY', `${at}/capacity_za_mbps`, 'nothing comes back: circuits need both directions');
    }
    labels(link, at);
    windows(link.maintenance, at);
    link.srlgs?.forEach((srlg, j) => {
      if (document.srlgs !== undefined && !srlgs.has(srlg)) {
        error('UNKNOWN_SRLG', `${at}/srlgs/${j}`, `no risk group is called "${srlg}"`);
      }
    });
  });
  document.nodes.forEach((node, i) => {
    if (document.nodes.length > 1 && !linked.has(node.id)) {
      add('WARNING', 'ISOLATED', `/nodes/${i}`, `no link leads to "${node.id}"`);
    }
  });
  document.port_groups?.forEach((group, i) => {
    group.ports.forEach((port, j) => {
      if (!ports.has(port))
        error('UNKNOWN_PORT', `/port_groups/${i}/ports/${j}`, `no port is called "${port}"`);
    });
  });
  const prefixes = new Set([document.prefix]);
  document.neighbours?.forEach((neighbour, i) => {
    const at = `/neighbours/${i}`;
    if (prefixes.has(neighbour.prefix)) {
      error('DUPLICATE_PREFIX', `${at}/prefix`, `"${neighbour.prefix}" names another domain already`);
    }
    prefixes.add(neighbour.prefix);
    neighbour.ports.forEach((port, j) => {
      if (!port.id.startsWith(`${neighbour.prefix}:`)) {
        error(
          'FOREIGN_PORT',
          `${at}/ports/${j}/id`,
          `the ports of ${neighbour.domain} begin with "${neighbour.prefix}:"`,
        );
      }
      if (port.vlans !== undefined) labelText(port.vlans, `${at}/ports/${j}/vlans`);
    });
  });
  return mistakes;
}
