/** The few words of TL1 that emulated elements share with the driver's pure files. */
import { splitOutside, unquote } from '../../drivers/tl1/parse.ts';

export type { ReceivedCommand } from '../../drivers/tl1/format.ts';

/** The NAME=value items of a command's blocks. */
export function splitNames(blocks: readonly string[]): Map<string, string> {
  const names = new Map<string, string>();
  for (const block of blocks) {
    for (const item of splitOutside(block, ',')) {
      const equals = item.indexOf('=');
      if (equals > 0) names.set(item.slice(0, equals), unquote(item.slice(equals + 1)));
    }
  }
  return names;
}
