/**
 * The schema of a topology document: what a file or a request body must look like before anything is made of
 * it, no more and no less than the API takes as JSON. What a document must mean (names that exist, links that join two nodes) is check.ts's business.
 */
import { type Static, type TObject, type TProperties, Type } from 'typebox';
import { HIGHEST_MBPS } from '../model/capacity.ts';
import { PORT_MAX_LENGTH, PORT_PATTERN, PREFIX_PATTERN } from '../model/port.ts';
import type { TopologyDocument } from './document.ts';

/** Of nodes, ports, links and what else there is many of. */
const MOST = 20_000;

const strictly = <P extends TProperties>(properties: P): TObject<P> =>
  Type.Object(properties, { additionalProperties: false });
const maybe = Type.Optional;

const id = Type.String({ minLength: 1, maxLength: 128, pattern: '^[^\\u0000-\\u001f\\u007f]+$' });
const domain = Type.String({ minLength: 1, maxLength: 253, pattern: '^[a-z0-9.-]+$' });
const words = Type.String({ maxLength: 256 });
const state = Type.Enum(['UP', 'DOWN']);
const mbps = Type.Integer({ minimum: 0, maximum: HIGHEST_MBPS });
const mtu = Type.Integer({ minimum: 68, maximum: 65_535 });
const labels = Type.String({ minLength: 1, maxLength: 1024 });
const latitude = Type.Number({ minimum: -90, maximum: 90 });
const longitude = Type.Number({ minimum: -180, maximum: 180 });
const portId = Type.String({ pattern: PORT_PATTERN, maxLength: PORT_MAX_LENGTH });
const closure = {
  start_time: Type.String({ maxLength: 35 }),
  end_time: Type.String({ maxLength: 35 }),
  reason: maybe(words),
};
const maintenance = Type.Array(strictly(closure), { maxItems: 256 });
const labelled = {
  vlans: maybe(labels),
  wavelengths: maybe(labels),
  time_slots: maybe(labels),
  unlabelled: maybe(Type.Boolean()),
};

const node = strictly({
  id,
  site: maybe(id),
  latitude: maybe(latitude),
  longitude: maybe(longitude),
  device: maybe(id),
  swaps_labels: maybe(Type.Boolean()),
  label_scope: maybe(Type.Enum(['NODE', 'PORT'])),
  domain: maybe(domain),
  admin_state: maybe(state),
  oper_state: maybe(state),
  maintenance: maybe(maintenance),
});
const port = strictly({
  id: portId,
  node: id,
  kind: Type.Enum(['CLIENT', 'BORDER']),
  capacity_mbps: mbps,
  mtu: maybe(mtu),
  device_port: maybe(id),
  remote: maybe(
    strictly({
      domain,
      port: portId,
      latency_ms: maybe(Type.Number({ minimum: 0, maximum: 1e6 })),
      cost: maybe(Type.Number({ minimum: 0, maximum: 1e9 })),
      srlgs: maybe(Type.Array(id, { maxItems: 64 })),
    }),
  ),
  admin_state: maybe(state),
  ...labelled,
});
const end = strictly({ node: id, port: id });
const link = strictly({
  id,
  a: end,
  z: end,
  capacity_mbps: mbps,
  capacity_za_mbps: maybe(mbps),
  latency_ms: maybe(Type.Number({ minimum: 0, maximum: 1e6 })),
  cost: maybe(Type.Number({ minimum: 0, maximum: 1e9 })),
  mtu: maybe(mtu),
  srlgs: maybe(Type.Array(id, { maxItems: 256 })),
  admin_state: maybe(state),
  oper_state: maybe(state),
  maintenance: maybe(maintenance),
  ...labelled,
});
const neighbour = strictly({
  domain,
  prefix: Type.String({ pattern: PREFIX_PATTERN }),
  api: maybe(Type.String({ maxLength: 2048 })),
  ports: Type.Array(strictly({ id: portId, capacity_mbps: mbps, vlans: maybe(labels), mtu: maybe(mtu) }), {
    maxItems: MOST,
  }),
});

export const topologySchema = strictly({
  domain,
  prefix: Type.String({ pattern: PREFIX_PATTERN }),
  nodes: Type.Array(node, { maxItems: MOST }),
  ports: Type.Array(port, { maxItems: MOST }),
  links: Type.Array(link, { maxItems: MOST }),
  neighbours: maybe(Type.Array(neighbour, { maxItems: 1000 })),
  sites: maybe(
    Type.Array(strictly({ id, name: maybe(id), latitude: maybe(latitude), longitude: maybe(longitude) }), {
      maxItems: MOST,
    }),
  ),
  port_groups: maybe(
    Type.Array(
      strictly({ id, ports: Type.Array(portId, { minItems: 1, maxItems: 1000 }), capacity_mbps: mbps }),
      { maxItems: MOST },
    ),
  ),
  maintenance_windows: maybe(
    Type.Array(
      strictly({
        id: Type.String({ pattern: '^mnt_[0-9a-z]{26}$' }),
        ...closure,
        links: maybe(Type.Array(id, { maxItems: 1000 })),
        nodes: maybe(Type.Array(id, { maxItems: 1000 })),
      }),
      { maxItems: 10_000 },
    ),
  ),
  srlgs: maybe(
    Type.Array(strictly({ id, description: maybe(words) }), {
      maxItems: MOST,
    }),
  ),
});

/** What the schema lets through is a TopologyDocument: the compiler compares the two. */
export const asDocument = (value: Static<typeof topologySchema>): TopologyDocument =>
  value as TopologyDocument;
