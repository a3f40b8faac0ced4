/** A long list is read page by page: one of them. */
export interface Page<T> {
  readonly items: readonly T[];
  /** Where the next page begins; absent on the last. Opaque outside the store. */
  readonly next?: string;
}
