/** What must hold of a document before it may become the running one: everything that is wrong, with pointers. */
import type { FieldError } from '../kernel/errors.ts';
import { parseLabels } from '../model/label.ts';
import { parsePort } from '../model/port.ts';
import type { LabelsDocument, TopologyDocument } from './document.ts';

export function checkDocument(document: TopologyDocument): FieldError[] {
  const errors: FieldError[] = [];
  const wrong = (pointer: string, detail: string): void => void errors.push({ pointer, detail });
  const once = (kind: string, items: readonly { readonly id: string }[] = []): Set<string> => {
    const seen = new Set<string>();
    items.forEach((item, i) => {
      if (seen.has(item.id)) wrong(`/${kind}/${i}/id`, `${item.id} is there twice`);
      seen.add(item.id);
    });
    return seen;
  };
  const labels = (pointer: string, given: LabelsDocument): void => {
    const named = (['vlans', 'wavelengths', 'time_slots'] as const).filter(
      (kind) => given[kind] !== undefined,
    );
    if (named.length > 1) wrong(pointer, `carries one kind of label, not ${named.join(' and ')}`);
    for (const kind of named) {
      if (parseLabels(given[kind] ?? '') === undefined) wrong(`${pointer}/${kind}`, 'not a list of ranges');
    }
  };
  const nodes = once('nodes', document.nodes);
  const ports = once('ports', document.ports);
  once('links', document.links);
  const srlgs = document.srlgs === undefined ? undefined : once('srlgs', document.srlgs);
  once('sites', document.sites);
  once('port_groups', document.port_groups);

  document.ports.forEach((port, i) => {
    const at = `/ports/${i}`;
    if (parsePort(port.id)?.prefix !== document.prefix)
      wrong(`${at}/id`, `a port of this domain is named ${document.prefix}:...`);
    if (!nodes.has(port.node)) wrong(`${at}/node`, `there is no node ${port.node}`);
    if (port.kind === 'BORDER' && port.remote === undefined)
      wrong(`${at}/remote`, 'a BORDER port names the port at the other end');
    labels(at, port);
  });
  document.links.forEach((link, i) => {
    const at = `/links/${i}`;
    for (const end of ['a', 'z'] as const) {
      if (!nodes.has(link[end].node)) wrong(`${at}/${end}/node`, `there is no node ${link[end].node}`);
    }
    if (link.a.node === link.z.node) wrong(`${at}/z/node`, 'a link joins two nodes');
    for (const srlg of link.srlgs ?? [])
      if (srlgs?.has(srlg) === false) wrong(`${at}/srlgs`, `there is no shared-risk group ${srlg}`);
    labels(at, link);
  });
  document.port_groups?.forEach((group, i) => {
    for (const port of group.ports)
      if (!ports.has(port)) wrong(`/port_groups/${i}/ports`, `there is no port ${port}`);
  });
  return errors;
}
