/**
 * Light, as a home sees it: the wish for it, what each domain says of its own (up, down, impaired, mended),
 * and the new light that takes the place of the old. A circuit is ACTIVE as soon as all of the way in use is
 * lit; what goes out for good is in end.ts.
 */
import type { InstantMs } from '../../kernel/clock.ts';
import {
  type Circuit,
  type Impairment,
  localSegment,
  type Pending,
  type Placement,
  placements,
  type Segment,
} from '../circuit.ts';
import type { Effect } from '../effects.ts';
import type { HomeEv } from '../events.ts';
import {
  allLit,
  because,
  CARRYING_LIGHT,
  darkening,
  dataPlane,
  go,
  inDomain,
  inVersion,
  isImpaired,
  LIGHT_LOST,
  lighting,
  lit,
  mapSegments,
  NOT_YET_DUE,
  next,
  no,
  ROAD_IMPAIRED,
  remotes,
  stays,
} from '../rules.ts';
import { reported } from '../ways.ts';
import { provisionAll } from './messages.ts';
import { inForce } from './placements.ts';
import { isProtected, protectedNow, protection } from './protection.ts';

export const provision = go<HomeEv<'provision'>>(['PROVISIONING'], (c, e) => {
  if (c.request.provision === 'AUTOMATIC')
    return no('WRONG_STATE', 'an AUTOMATIC circuit is lit at its start by itself');
  if (c.armed) return 'same';
  const current = inForce(c);
  const armed: Circuit = { ...c, armed: true };
  const asked = provisionAll(armed, current);
  if (e.at < current.window.start) return next(armed, because('ARMED', 'to be lit at its start'), asked);
  const result = light(armed);
  return next(result.circuit, {}, [...asked, ...result.effects]);
});

/** Turns everything of the circuit on: the local segment by its devices, the others by their own clocks. */
export function light(c: Circuit): { kind: 'next'; circuit: Circuit; effects: readonly Effect[] } {
  const current = mapSegments(inForce(c), lighting);
  const effects: Effect[] =
    localSegment(current) === undefined ? [] : [{ type: 'device.light', version: current.version }];
  return next(
    c,
    { state: 'PROVISIONING', current, ...because('PROVISIONING', 'the devices of the path are being set') },
    effects,
  );
}

export const up = go<HomeEv<'up'>>(['ACTIVE'], (c, e) => {
  // It may shine elsewhere before everybody has agreed: nobody will say so again.
  if (c.pending?.phase === 'COMMITTING' && c.pending.placement.version === e.version)
    return next(inVersion(c, e.domain, e.version, lit), {});
  if (c.pending?.phase === 'LIGHTING' && c.pending.placement.version === e.version) {
    const placement = mapSegments(c.pending.placement, inDomain(e.domain, lit));
    // Make before break: the old light goes only when our own share of the new one is there.
    if (localSegment(placement)?.light !== 'LIT') return next(c, { pending: { ...c.pending, placement } });
    const { circuit, effects } = replace(c, placement);
    const now = active(circuit, e.at);
    return next(now, { conditions: protection(now, placement, e.at) }, effects);
  }
  if (c.current?.version !== e.version) return 'same';
  const current = mapSegments(c.current, inDomain(e.domain, lit));
  const now = active({ ...c, current }, e.at);
  return next(now, { conditions: protection(now, current, e.at) });
});

/** ACTIVE as soon as every segment is lit; the condition follows. */
function active(c: Circuit, at: InstantMs): Circuit {
  if (!allLit(inForce(c))) return c;
  const conditions = inForce(c).segments.some(isBroken)
    ? c.conditions
    : dataPlane(c, 'TRUE', 'ALL_SEGMENTS_LIT', at);
  if (c.state !== 'PROVISIONING') return { ...c, conditions };
  return {
    ...c,
    state: 'ACTIVE',
    conditions,
    actualStart: c.actualStart ?? at,
    ...because('ACTIVE', CARRYING_LIGHT),
  };
}

/** Puts what was agreed in the place of what is in force, which goes out. */
export function replace(c: Circuit, placement: Placement): { circuit: Circuit; effects: Effect[] } {
  const old = inForce(c);
  const retiring = mapSegments(old, (s) => (s.local ? darkening(s) : s));
  const pending: Pending = { phase: 'RETIRING', placement: retiring };
  return {
    circuit: { ...c, current: placement, request: c.pending?.request ?? c.request, pending },
    effects: [{ type: 'device.dark', version: old.version }],
  };
}

export const retired = go<HomeEv<'dark'>>(stays, (c, e) =>
  c.pending?.phase === 'RETIRING' && c.pending.placement.version === e.version
    ? next(c, { pending: undefined })
    : 'same',
);

export const down = go<HomeEv<'down'>>(stays, (c, e) => {
  if (c.current?.version !== e.version) return 'same';
  const segment = c.current.segments.find((s) => s.domain === e.domain);
  if (segment === undefined) return 'same';
  // What only stands by carries nothing that could be lost.
  const light = segment.standby === true ? c.conditions : dataPlane(c, 'FALSE', LIGHT_LOST, e.at, e.detail);
  const twoWays = isProtected(c) && remotes(c.current).length > 0;
  const lost = twoWays ? { lost: e.detail } : {};
  const known = segment.light !== 'LIT' && (segment.lost !== undefined || !twoWays);
  if (known) return light === c.conditions ? 'same' : next(c, { conditions: light });
  const current = mapSegments(
    c.current,
    inDomain(e.domain, (s) => ({ ...s, light: 'LIGHTING', ...lost })),
  );
  return next(
    c,
    { current, conditions: protection({ ...c, conditions: light }, current, e.at) },
    segment.local && segment.light === 'LIT' ? [{ type: 'device.light', version: e.version }] : [],
  );
});

export const impaired = go<HomeEv<'impaired'>>(stays, (c, e) => {
  const segment = segmentOf(c, e);
  if (segment === undefined) return 'same';
  const carries = c.current?.version === e.version && segment.standby !== true && e.second !== true;
  const conditions = carries ? dataPlane(c, 'FALSE', ROAD_IMPAIRED, e.at, e.detail) : c.conditions;
  const road = e.second === true ? segment.backup : segment;
  const known = segment.local || road === undefined || road.impaired?.detail === e.detail;
  if (known) return conditions === c.conditions ? 'same' : next(c, { conditions });
  const said: Impairment = { detail: e.detail, ...(e.port === undefined ? {} : { port: e.port }) };
  const now = inVersion({ ...c, conditions }, e.domain, e.version, (s) => reported(s, e.second, said));
  return next(now, { conditions: protectedNow(now, e.at) });
});

export const mended = go<HomeEv<'mended'>>(stays, (c, e) => {
  const segment = segmentOf(c, e);
  if ((e.second === true ? segment?.backup : segment)?.impaired === undefined) return 'same';
  const better = inVersion(c, e.domain, e.version, (s) => reported(s, e.second, undefined));
  const now = { ...better, conditions: protectedNow(better, e.at) };
  if (e.second === true) return next(now, {});
  const stillBad = c.current?.version !== e.version || now.current?.segments.some(isBroken) === true;
  if (stillBad || !isImpaired(c)) return next(now, {});
  return next(c.state === 'ACTIVE' ? active(now, e.at) : { ...now, conditions: notYetDue(now, e.at) }, {});
});

const segmentOf = (
  c: Circuit,
  { domain, version }: HomeEv<'impaired'> | HomeEv<'mended'>,
): Segment | undefined =>
  placements(c)
    .find((p) => p.version === version)
    ?.segments.find((s) => s.domain === domain);

const isBroken = (s: Segment): boolean => s.impaired !== undefined && s.standby !== true;

export const notYetDue = (c: Circuit, at: InstantMs): Circuit['conditions'] =>
  isImpaired(c) ? dataPlane(c, 'FALSE', NOT_YET_DUE, at) : c.conditions;
