/** What the broker asks of devices, by the names that the rooms of the drivers use. */
import type { ElementReport } from '../broker/ports.ts';

export type { DeviceReport, Devices, ElementReport, LightContext, ObservedConnect } from '../broker/ports.ts';
export type Outcome = ElementReport['outcome'];
