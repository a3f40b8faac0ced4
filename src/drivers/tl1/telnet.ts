/**
 * The telnet layer under a TL1 session (RFC 854): many elements speak it on their TL1 port, some only half.
 * Commands are taken out of the byte stream, every offer is declined, and nothing of them is kept: an endless
 * subnegotiation costs no memory.
 */

const IAC = 255;
const DONT = 254;
const DO = 253;
const WONT = 252;
const WILL = 251;
const SB = 250;
const SE = 240;

type State = 'DATA' | 'IAC' | 'OPTION' | 'SUB' | 'SUB_IAC';

export class TelnetFilter {
  #state: State = 'DATA';
  #verb = 0;

  /** The data bytes of a chunk, and what to answer to the telnet commands in it. */
  push(chunk: Buffer): { readonly data: Buffer; readonly reply: Buffer | undefined } {
    if (this.#state === 'DATA' && !chunk.includes(IAC)) return { data: chunk, reply: undefined };
    const data = Buffer.allocUnsafe(chunk.length);
    const reply: number[] = [];
    let length = 0;
    for (const byte of chunk) {
      switch (this.#state) {
        case 'DATA':
          if (byte === IAC) this.#state = 'IAC';
          else data[length++] = byte;
          break;
        case 'IAC':
          if (byte === IAC) {
            data[length++] = byte;
            this.#state = 'DATA';
          } else if (byte === SB) {
            this.#state = 'SUB';
          } else if (byte >= WILL && byte <= DONT) {
            this.#verb = byte;
            this.#state = 'OPTION';
          } else {
            this.#state = 'DATA';
          }
          break;
        case 'OPTION':
          // Declining everything cannot loop: a refusal is never answered (RFC 854, "Option negotiation").
          if (this.#verb === DO) reply.push(IAC, WONT, byte);
          else if (this.#verb === WILL) reply.push(IAC, DONT, byte);
          this.#state = 'DATA';
          break;
        case 'SUB':
          if (byte === IAC) this.#state = 'SUB_IAC';
          break;
        case 'SUB_IAC':
          this.#state = byte === SE ? 'DATA' : 'SUB';
          break;
      }
    }
    return { data: data.subarray(0, length), reply: reply.length > 0 ? Buffer.from(reply) : undefined };
  }
}
