/** Windows are half-open, [start, end), everywhere: touching is not overlapping. Whole seconds, as the API has them. */
import { type InstantMs, instant } from '../kernel/clock.ts';

export interface Window {
  readonly start: InstantMs;
  readonly end: InstantMs;
}

export const overlaps = (a: Window, b: Window): boolean => a.start < b.end && b.start < a.end;

export const contains = (w: Window, at: InstantMs): boolean => w.start <= at && at < w.end;

export const nextFullSecond = (at: InstantMs): InstantMs => instant(Math.floor(at / 1000) * 1000 + 1000);

export const plusMs = (at: InstantMs, ms: number): InstantMs => instant(at + ms);

export const plusSeconds = (at: InstantMs, seconds: number): InstantMs => instant(at + seconds * 1000);

export const secondsBetween = (from: InstantMs, to: InstantMs): number => Math.round((to - from) / 1000);
