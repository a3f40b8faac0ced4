/** The executor's arithmetic: a path's hops by device, and what the devices did as the broker wants to read it. */
import type { Hop, Segment } from '../model/circuit.ts';
import type { ApplyReport, Connect } from './driver.ts';
import type { DeviceReport, ElementReport, LightContext, Outcome } from './port.ts';

export function byDevice({ hops }: Segment): Map<string, Hop[]> {
  const groups = new Map<string, Hop[]>();
  for (const hop of hops) {
    const group = groups.get(hop.device);
    if (group === undefined) groups.set(hop.device, [hop]);
    else group.push(hop);
  }
  return groups;
}

export const portsOf = (hops: readonly Hop[]): string[] => hops.flatMap((hop) => [hop.in.port, hop.out.port]);

export const connectOf = (
  hop: Hop,
  { circuit, version, mbps, fence }: Pick<LightContext, 'circuit' | 'version' | 'mbps' | 'fence'>,
): Connect => ({ owner: { circuit, version, epoch: fence }, in: hop.in, out: hop.out, mbps });

/** A driver that throws is a bug; what it did is not known. */
export const broken = (detail: string): ApplyReport => ({
  outcome: 'unknown',
  retry: true,
  detail,
  protocol_ms: 0,
  settle_ms: 0,
  verify_ms: 0,
  commands: [],
});

export function elementReport(
  device: string,
  outcome: Outcome,
  queueMs: number,
  reports: readonly ApplyReport[],
): ElementReport {
  const sum = (part: 'protocol_ms' | 'settle_ms' | 'verify_ms'): number =>
    reports.reduce((total, report) => total + report[part], 0);
  return {
    device,
    outcome,
    queue_ms: queueMs,
    protocol_ms: sum('protocol_ms'),
    settle_ms: sum('settle_ms'),
    verify_ms: sum('verify_ms'),
    commands: reports.flatMap((report) => report.commands),
  };
}

export const summary = (
  ok: boolean,
  retry: boolean,
  detail: string,
  done: readonly { readonly report: ElementReport }[],
): DeviceReport => ({
  ok,
  retry,
  detail,
  elements: done.map(({ report }) => report),
});
