/** Every resource of the API. A new one is added here, and the document, the lists and the tests follow. */
import type { Resource } from '../resource.ts';
import { analysis } from './analysis.ts';
import { audit } from './audit.ts';
import { availability } from './availability.ts';
import { circuitParts } from './circuitParts.ts';
import { circuitSets } from './circuitSets.ts';
import { circuits } from './circuits.ts';
import { circuitVerbs } from './circuitVerbs.ts';
import { decisions } from './decisions.ts';
import { devices } from './devices.ts';
import { events } from './events.ts';
import { maintenance } from './maintenance.ts';
import { offers } from './offers.ts';
import { peers } from './peers.ts';
import { policies } from './policies.ts';
import { projects } from './projects.ts';
import { quotas } from './quotas.ts';
import { series } from './series.ts';
import { system } from './system.ts';
import { tokens } from './tokens.ts';
import { topology } from './topology.ts';
import { usage } from './usage.ts';
import { webhooks } from './webhooks.ts';
import { whoami } from './whoami.ts';

export const resources: readonly Resource[] = [
  // First, because it measures the routes that come after it.
  system,
  circuits,
  circuitVerbs,
  circuitParts,
  circuitSets,
  offers,
  series,
  events,
  webhooks,
  decisions,
  tokens,
  audit,
  policies,
  topology,
  analysis,
  availability,
  maintenance,
  peers,
  devices,
  // Before the other two: it brings the schemas of all three.
  quotas,
  projects,
  usage,
  whoami,
];
