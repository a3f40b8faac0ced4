/** What the broker asks of devices, by the names that the rooms of the drivers use. */
import type { ElementReport } from '../broker/devices/devicePorts.ts';

export type {
  DeviceReport,
  Devices,
  ElementReport,
  LightContext,
  ObservedConnect,
} from '../broker/devices/devicePorts.ts';
export type {
  DeviceOrder,
  DeviceState,
  Discovery,
  Inspection,
  PlannedCommands,
} from '../broker/devices/inspection.ts';
export type Outcome = ElementReport['outcome'];
