/** The dot language of Graphviz, out only: a picture for people. */
import type { TopologyDocument } from '../document.ts';
import type { Format } from './format.ts';

/** A quoted id: only the quote and the backslash mean something in it; a line break would end the line. */
const quoted = (text: string): string => `"${text.replace(/[\\"]/g, '\\$&').replace(/[\r\n]+/g, ' ')}"`;

function write(document: TopologyDocument): string {
  const rows = [
    `graph ${quoted(document.domain)} {`,
    '  node [shape=box];',
    ...document.nodes.map((node) => `  ${quoted(node.id)};`),
    ...document.links.map((link) => {
      const label = `${link.id}\n${link.capacity_mbps} Mb/s`
        .split('\n')
        .map((line) => quoted(line).slice(1, -1));
      const dashed = link.admin_state === 'DOWN' || link.oper_state === 'DOWN' ? ', style=dashed' : '';
      return `  ${quoted(link.a.node)} -- ${quoted(link.z.node)} [label="${label.join('\\n')}"${dashed}];`;
    }),
    '}',
  ];
  return `${rows.join('\n')}\n`;
}

export const dot: Format = { name: 'dot', mediaType: 'text/vnd.graphviz', write };
