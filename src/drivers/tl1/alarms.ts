/**
 * Which ports of a TL1 element have lost their light, by its alarms: told as they come, and asked for now and then,
 * since a message that was lost would leave a port dark for ever. An element that keeps no list of them is believed
 * by its messages alone.
 */
import type { PortState, WatchEvent } from '../driver.ts';
import { asFault } from '../fault.ts';
import { alarmsOf, type Tl1Dialect } from './dialect.ts';
import type { Tl1Autonomous, Tl1Response } from './parse.ts';

export class AlarmWatch {
  readonly #dialect: Tl1Dialect;
  readonly #ask: () => Promise<Tl1Response | undefined>;
  readonly #say: (event: WatchEvent) => void;
  readonly #dark = new Set<string>();
  #listed = true;

  constructor(
    dialect: Tl1Dialect,
    ask: () => Promise<Tl1Response | undefined>,
    say: (event: WatchEvent) => void,
  ) {
    this.#dialect = dialect;
    this.#ask = ask;
    this.#say = say;
  }

  heard({ verb, lines }: Tl1Autonomous): void {
    // REPT ALM, REPT ALM OC192, REPT ALM EQPT: the second modifier says what kind of thing it is about.
    if (verb.startsWith('REPT ALM')) this.#note(alarmsOf(lines, (aid) => this.#dialect.alarmed(aid)));
  }

  /** Asks for the alarms that stand. */
  async refresh(): Promise<void> {
    if (!this.#listed) return;
    try {
      const answer = await this.#ask();
      if (answer === undefined) return;
      const standing = alarmsOf(answer.lines, (aid) => this.#dialect.alarmed(aid)).filter(({ up }) => !up);
      const names = new Set(standing.map(({ name }) => name));
      const over = [...this.#dark].filter((name) => !names.has(name));
      this.#note([...standing, ...over.map((name) => ({ name, up: true }))]);
    } catch (error) {
      if (asFault(error).kind === 'refused') this.#listed = false;
    }
  }

  #note(states: readonly PortState[]): void {
    const news = states.filter(({ name, up }) => this.#dark.has(name) === up);
    for (const { name, up } of news) {
      if (up) this.#dark.delete(name);
      else this.#dark.add(name);
    }
    if (news.length > 0) this.#say({ type: 'ports', ports: news });
  }
}
