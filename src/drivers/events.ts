/** What drivers have to tell an operator, as one union. No field here has room for a secret. */

export type DriverEvent =
  | { readonly event: 'device.connected'; readonly device: string; readonly protocol: string }
  | { readonly event: 'device.unreachable'; readonly device: string; readonly error: string }
  | { readonly event: 'device.rebooted'; readonly device: string; readonly detail: string }
  | {
      readonly event: 'device.changed';
      readonly device: string;
      readonly detail: string;
      /** Somebody else did it. */
      readonly foreign: boolean;
    }
  | {
      readonly event: 'device.events_lost';
      readonly device: string;
      readonly from: string;
      readonly to: string;
    }
  | { readonly event: 'device.stray_answer'; readonly device: string; readonly detail: string }
  | { readonly event: 'device.breaker'; readonly device: string; readonly state: 'OPEN' | 'CLOSED' }
  | { readonly event: 'device.rollback_failed'; readonly device: string; readonly circuit: string }
  | {
      readonly event: 'device.quarantined' | 'device.quarantine_lifted';
      readonly device: string;
      readonly ports: readonly string[];
      readonly detail: string;
    }
  | {
      readonly event: 'device.drift';
      readonly device: string;
      readonly kind: 'MISSING' | 'EXTRA' | 'FOREIGN';
      readonly detail: string;
    };

export type Tell = (event: DriverEvent) => void;
