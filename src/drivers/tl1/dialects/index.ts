/** Every TL1 dialect by name. A new one is a file, a line here and a folder of transcripts. */
import type { DialectOptions, Tl1Dialect } from '../dialect.ts';
import { ome6500 } from './ome6500.ts';
import { ons15454 } from './ons15454.ts';
import { polatis } from './polatis.ts';

export const tl1Dialects: Readonly<Record<string, (options?: DialectOptions) => Tl1Dialect>> = {
  polatis,
  ome6500,
  ons15454,
};
