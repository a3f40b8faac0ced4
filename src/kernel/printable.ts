/** Text from outside, made safe to show: no control character reaches a terminal or a log line. */

// JSON escapes C0; ANSI's 8-bit forms and bidirectional controls would still reach a terminal.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** Makes text from outside safe to show on a terminal or in a log line. */
export function printable(text: string): string {
  return text.replace(UNSAFE, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
