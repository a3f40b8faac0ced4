/** Maps that may not grow for ever. */

/** Of a map that has grown by one: makes room again. */
export function forgetOldest(map: Map<string, unknown>, most: number): void {
  if (map.size > most) for (const oldest of map.keys()) return void map.delete(oldest);
}
