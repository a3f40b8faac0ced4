/**
 * Light, as a participant sees it: what shines because its time has come, what goes out because it is over, and
 * what its devices say (up, down, impaired, mended), of which its home is told.
 */
import type { InstantMs } from '../../kernel/clock.ts';
import { type Circuit, type Impairment, localSegment, type Placement, placements } from '../circuit.ts';
import type { Effect } from '../effects.ts';
import type { ParticipantEv } from '../events.ts';
import {
  allLit,
  because,
  CARRYING_LIGHT,
  darken,
  dataPlane,
  go,
  handOver,
  inVersion,
  isImpaired,
  LIGHT_LOST,
  lighting,
  lit,
  mapPlacements,
  mapSegments,
  NOT_YET_DUE,
  next,
  type Result,
  ROAD_IMPAIRED,
  sameHops,
  stays,
} from '../rules.ts';
import { reported } from '../ways.ts';
import { counting, notify } from './messages.ts';
import { inForce, isDark, mayShine, shines } from './placements.ts';

export const provision = go<ParticipantEv<'provision'>>(['PROVISIONING'], (c, e) => {
  if (c.armed) return 'same';
  const [circuit, patch, effects] = lightWhatIsDue({ ...c, armed: true }, e.at);
  return next(circuit, patch, effects);
});

/** Lights every committed version whose time has come. Both versions of a move may shine at once. */
export function lightWhatIsDue(
  c: Circuit,
  at: InstantMs,
  early = false,
): [Circuit, { state?: 'PROVISIONING'; reason?: Circuit['reason'] }, Effect[]] {
  if (!mayShine(c)) return [c, {}, []];
  const isDue = ({ window: { start, end } }: Placement): boolean => (early || start <= at) && at < end;
  const due = inForce(c).filter((p) => isDark(p) && isDue(p));
  if (due.length === 0) return [c, {}, []];
  const lightOf = (p: Placement): Placement =>
    mapSegments(at < p.window.start ? { ...p, lightFrom: at } : p, lighting);
  const circuit = mapPlacements(c, (p) => (due.some((d) => d.version === p.version) ? lightOf(p) : p));
  const effects = due.map((p): Effect => ({ type: 'device.light', version: p.version }));
  return c.state === 'SCHEDULED'
    ? [
        circuit,
        { state: 'PROVISIONING', ...because('PROVISIONING', 'the devices of the segment are being set') },
        effects,
      ]
    : [circuit, {}, effects];
}

/**
 * Puts out a version whose own time is over while another still runs: the home may be long in telling which
 * one stands, and the room after a window's end is somebody else's. Where the other shines on the same hops,
 * these become its own.
 */
export function quenchWhatIsOver(c: Circuit, at: InstantMs): [Circuit, Effect[]] {
  const over = inForce(c).filter((p) => shines(p) && p.window.end <= at);
  if (over.length === 0) return [c, []];
  const effects: Effect[] = [];
  const put = (p: Placement): Placement => {
    if (!over.some((o) => o.version === p.version)) return p;
    const heir = inForce(c).find((o) => o.version !== p.version && shines(o) && sameHops(o, p));
    effects.push(
      ...(heir === undefined
        ? [{ type: 'device.dark', version: p.version } as const]
        : handOver(p, heir).effects),
    );
    return mapSegments(p, (s) => ({ ...s, light: heir === undefined ? 'DARKENING' : 'DARK' }));
  };
  return [mapPlacements(c, put), effects];
}

export const up = go<ParticipantEv<'up'>>(['ACTIVE'], (c, e) => {
  if (!placements(c).some((p) => p.version === e.version)) return 'same';
  const now = inVersion(c, e.domain, e.version, lit);
  if (!inForce(now).some(allLit)) return next(now, {});
  const conditions = dataPlane(now, 'TRUE', 'ALL_SEGMENTS_LIT', e.at);
  const known = c.state === 'ACTIVE' && conditions === c.conditions && c.current?.version === e.version;
  const counted = known ? now : counting(now);
  const effects = known ? [] : [notify(counted, 'UP', { version: e.version })];
  if (c.state === 'ACTIVE') return next(counted, { conditions }, effects);
  return next(
    counted,
    {
      state: 'ACTIVE',
      conditions,
      actualStart: c.actualStart ?? e.at,
      ...because('ACTIVE', CARRYING_LIGHT),
    },
    effects,
  );
});

export const down = go<ParticipantEv<'down'>>(stays, (c, e) => {
  const of = placements(c).find((p) => p.version === e.version);
  const segment = of === undefined ? undefined : localSegment(of);
  if (segment === undefined) return 'same';
  const conditions = dataPlane(c, 'FALSE', LIGHT_LOST, e.at, e.detail);
  if (conditions === c.conditions && segment.light !== 'LIT') return 'same';
  const counted = counting(inVersion(c, e.domain, e.version, (s) => ({ ...s, light: 'LIGHTING' })));
  const again: Effect[] = segment.light === 'LIT' ? [{ type: 'device.light', version: e.version }] : [];
  return next(counted, { conditions }, [
    ...again,
    notify(counted, 'DOWN', { version: e.version, cause: e.detail }),
  ]);
});

/** Its home is told, who alone can give it another road: a new version, between the same ports or others. */
export const impaired = go<ParticipantEv<'impaired'>>(stays, (c, e) => {
  if (c.current?.version !== e.version) return 'same';
  if (e.second === true) return secondIs(c, c.current, { detail: e.detail });
  const conditions = dataPlane(c, 'FALSE', ROAD_IMPAIRED, e.at, e.detail);
  if (conditions === c.conditions) return 'same';
  const counted = counting(c);
  const at = e.port === undefined ? {} : { port: e.port };
  return next(counted, { conditions }, [{ ...notify(counted, 'IMPAIRED', { cause: e.detail }), ...at }]);
});

export const mended = go<ParticipantEv<'mended'>>(stays, (c, e) => {
  if (c.current?.version !== e.version) return 'same';
  if (e.second === true) return secondIs(c, c.current, undefined);
  if (!isImpaired(c)) return 'same';
  const lit = c.state === 'ACTIVE' && allLit(c.current);
  const conditions = lit
    ? dataPlane(c, 'TRUE', 'ALL_SEGMENTS_LIT', e.at)
    : dataPlane(c, 'FALSE', NOT_YET_DUE, e.at);
  const counted = counting(c);
  return next(counted, { conditions }, [notify(counted, 'MENDED')]);
});

/** Of the road that nobody uses now: its home would switch to it. */
function secondIs(c: Circuit, current: Placement, said: Impairment | undefined): Result {
  const backup = localSegment(current)?.backup;
  if (backup === undefined || backup.impaired?.detail === said?.detail) return 'same';
  const counted = counting({ ...c, current: mapSegments(current, (s) => reported(s, true, said)) });
  const cause = said === undefined ? {} : { cause: said.detail };
  const news = notify(counted, said === undefined ? 'MENDED' : 'IMPAIRED', cause);
  return next(counted, {}, [{ ...news, second: true }]);
}

export const retired = go<ParticipantEv<'dark'>>(stays, (c, e) => {
  const out = placements(c).find((p) => p.version === e.version && localSegment(p)?.light === 'DARKENING');
  if (out === undefined) return 'same';
  return c.pending?.phase === 'RETIRING' && c.pending.placement === out
    ? next(c, { pending: undefined })
    : next(darken(c, e.domain, e.version), {});
});
