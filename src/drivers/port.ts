/** What the broker asks of devices, by the names that the rooms of the drivers use. */
import type { ElementReport } from '../broker/devicePorts.ts';

export type {
  DeviceReport,
  Devices,
  ElementReport,
  LightContext,
  ObservedConnect,
} from '../broker/devicePorts.ts';
export type {
  DeviceOrder,
  DeviceState,
  Discovery,
  Inspection,
  PlannedCommands,
} from '../broker/inspection.ts';
export type Outcome = ElementReport['outcome'];
