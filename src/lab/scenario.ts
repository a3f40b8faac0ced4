/**
 * A scenario file: which emulated elements there are, how they are cabled, how slow and how faulty each is, and
 * what happens to them as time goes by. Read strictly: a misspelt fault that changes nothing would be worse
 * than none.
 */
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';

const strict = { additionalProperties: false } as const;
const Ms = Type.Integer({ minimum: 0, maximum: 600_000 });
const Count = Type.Integer({ minimum: 0, maximum: 1_000_000 });

const FaultsShape = Type.Partial(
  Type.Object({
    writeMs: Type.Tuple([Ms, Ms]),
    readMs: Ms,
    settleMs: Ms,
    loss: Type.Number({ minimum: 0, maximum: 1 }),
    loseAnswers: Count,
    deny: Type.Array(Type.String({ maxLength: 32 }), { maxItems: 1_000 }),
    mute: Type.Boolean(),
    noise: Type.Boolean(),
    pageLines: Count,
    skipMessages: Count,
    dripBytes: Count,
    failCommits: Count,
  }),
  strict,
);

const Name = Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$' });
const PortName = Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._/-]{0,63}$' });
const Secret = Type.String({ minLength: 8, maxLength: 64, pattern: '^[A-Za-z0-9._-]+$' });
const TcpPort = Type.Integer({ minimum: 1, maximum: 65_535 });
const PortShape = Type.Object(
  { name: PortName, speed_mbps: Type.Optional(Type.Integer({ minimum: 1 })) },
  strict,
);
const Common = {
  id: Name,
  ports: Type.Array(PortShape, { maxItems: 640 }),
  /** Any free one when absent. */
  port: Type.Optional(TcpPort),
  faults: Type.Optional(FaultsShape),
};

const ElementShape = Type.Union([
  Type.Object(
    {
      ...Common,
      protocol: Type.Literal('tl1'),
      dialect: Type.Union([Type.Literal('polatis'), Type.Literal('ome6500'), Type.Literal('ons15454')]),
      login: Type.Object({ user: Name, password: Secret }, strict),
    },
    strict,
  ),
  Type.Object(
    {
      ...Common,
      protocol: Type.Literal('snmp'),
      dialect: Type.Union([
        Type.Literal('standard'),
        Type.Literal('dell'),
        Type.Literal('leave-first'),
        Type.Literal('junos'),
      ]),
      login: Type.Union([
        Type.Object({ version: Type.Literal('v2c'), community: Secret }, strict),
        Type.Object({ version: Type.Literal('v3'), user: Name, auth_key: Secret, priv_key: Secret }, strict),
      ]),
    },
    strict,
  ),
]);

const EndShape = Type.Object({ element: Name, port: PortName }, strict);

const EventShape = Type.Union([
  Type.Object(
    {
      at_s: Type.Number({ minimum: 0 }),
      element: Name,
      do: Type.Literal('faults'),
      faults: FaultsShape,
    },
    strict,
  ),
  Type.Object({ at_s: Type.Number({ minimum: 0 }), element: Name, do: Type.Literal('reboot') }, strict),
  Type.Object(
    {
      at_s: Type.Number({ minimum: 0 }),
      element: Name,
      /** Somebody else joins two of its ports at its own console. */
      do: Type.Literal('foreign'),
      a: PortName,
      z: PortName,
      label: Type.Integer({ minimum: 0, maximum: 4_094 }),
    },
    strict,
  ),
  Type.Object(
    {
      at_s: Type.Number({ minimum: 0 }),
      element: Name,
      /** A cable of its is pulled, or put back. */
      do: Type.Literal('link'),
      port: PortName,
      up: Type.Boolean(),
    },
    strict,
  ),
]);

const ScenarioShape = Type.Object(
  {
    elements: Type.Array(ElementShape, { maxItems: 1_000 }),
    cables: Type.Optional(Type.Array(Type.Object({ a: EndShape, z: EndShape }, strict))),
    events: Type.Optional(Type.Array(EventShape)),
  },
  strict,
);

export type Scenario = Static<typeof ScenarioShape>;
export type ElementSpec = Static<typeof ElementShape>;
export type LabEvent = Static<typeof EventShape>;

const compiled = Compile(ScenarioShape);

/** Throws with the place of the first mistake. */
export function readScenario(value: unknown): Scenario {
  if (!compiled.Check(value)) {
    const [first] = compiled.Errors(value);
    throw new Error(`scenario${first?.instancePath ?? ''}: ${first?.message ?? 'not understood'}`);
  }
  const ports = new Map<string, ReadonlySet<string>>();
  for (const element of value.elements) {
    if (ports.has(element.id)) throw new Error(`scenario: element ${element.id} is there twice`);
    ports.set(element.id, new Set(element.ports.map((port) => port.name)));
  }
  const has = (element: string, port: string, where: string): void => {
    if (ports.get(element)?.has(port) !== true)
      throw new Error(`scenario: ${where}: no port ${port} on ${element}`);
  };
  const plugged = new Set<string>();
  for (const { a, z } of value.cables ?? []) {
    for (const end of [a, z]) {
      has(end.element, end.port, 'a cable');
      const key = JSON.stringify(end);
      if (plugged.has(key)) throw new Error(`scenario: two cables in ${end.element} ${end.port}`);
      plugged.add(key);
    }
  }
  for (const event of value.events ?? []) {
    if (!ports.has(event.element))
      throw new Error(`scenario: an event on ${event.element}, which is not there`);
    if (event.do === 'link') has(event.element, event.port, 'a link');
    if (event.do !== 'foreign') continue;
    has(event.element, event.a, 'a foreign change');
    has(event.element, event.z, 'a foreign change');
  }
  return value;
}
