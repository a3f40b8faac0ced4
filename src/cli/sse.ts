/**
 * Reads a text/event-stream (WHATWG HTML, 9.2) from decoded chunks. Pure: where the chunks come from and
 * what happens when they stop is the caller's.
 */

export interface SseMessage {
  readonly id?: string;
  readonly event: string;
  readonly data: string;
}

/** No event of ours comes near; a server that never ends a line shall not fill the memory. */
const LONGEST = 1_048_576;

export class SseParser {
  #rest = '';
  #event = '';
  #data: string[] = [];
  #size = 0;
  #lastId: string | undefined;
  #afterReturn = false;
  #started = false;

  /** The messages that this chunk completes. */
  push(chunk: string): SseMessage[] {
    let text = chunk;
    if (text === '') return [];
    if (!this.#started) {
      this.#started = true;
      if (text.startsWith('\uFEFF')) text = text.slice(1);
    }
    // CR, LF and CRLF all end a line; a CRLF may be cut in two by the chunks.
    if (this.#afterReturn && text.startsWith('\n')) text = text.slice(1);
    this.#afterReturn = chunk.endsWith('\r');
    const lines = text.split(/\r\n|\r|\n/);
    const messages: SseMessage[] = [];
    for (const [i, part] of lines.entries()) {
      const line = i === 0 ? this.#rest + part : part;
      if (i === lines.length - 1) {
        this.#rest = line;
        break;
      }
      this.#line(line, messages);
    }
    if (this.#rest.length + this.#size > LONGEST) throw new Error('an event of more than 1 MiB');
    return messages;
  }

  #line(line: string, messages: SseMessage[]): void {
    if (line === '') {
      if (this.#data.length > 0) {
        messages.push({
          ...(this.#lastId === undefined ? {} : { id: this.#lastId }),
          event: this.#event === '' ? 'message' : this.#event,
          data: this.#data.join('\n'),
        });
      }
      this.#data = [];
      this.#size = 0;
      this.#event = '';
      return;
    }
    const colon = line.indexOf(':');
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'data') {
      this.#data.push(value);
      this.#size += value.length;
    } else if (field === 'event') this.#event = value;
    else if (field === 'id' && !value.includes('\0')) this.#lastId = value;
  }
}
