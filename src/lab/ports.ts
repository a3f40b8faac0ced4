/** A port of an emulated element, of whatever protocol. */

export interface LabPort {
  readonly name: string;
  readonly speedMbps?: number;
  /** The other end of the cable, as the element has learnt it. */
  readonly neighbour?: { readonly device: string; readonly port: string };
}
