/** What drivers have to tell an operator: the part of the log that is about devices. No field has room for a secret. */
import type { LogEvent } from '../kernel/log.ts';

export type DriverEvent = Extract<LogEvent, { readonly event: `device.${string}` }>;

export type Tell = (event: DriverEvent) => void;
