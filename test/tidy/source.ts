/**
 * Reads TypeScript just far enough to keep house rules: into words, punctuation, strings, templates and
 * patterns, with comments left out, and from these the imports. It is not a parser: what it cannot read it
 * refuses loudly rather than passing over it.
 */

export interface Token {
  readonly kind: 'word' | 'number' | 'string' | 'template' | 'pattern' | 'mark';
  /** A string's or template's content without its quotes; otherwise as written. */
  readonly text: string;
  readonly line: number;
}

export interface Import {
  /** `computed` is an import() whose argument is not a plain string. */
  readonly kind: 'static' | 'dynamic' | 'export' | 'computed';
  readonly from: string;
  /** Gone after compilation: `import type`, `export type`, or only `type` names in the braces. */
  readonly typeOnly: boolean;
  /** What is imported: names as the other file calls them, `*` or `default`. */
  readonly names: readonly string[];
  readonly line: number;
}

const WORD = /[A-Za-z_$#\u00a1-\uffff][\w$\u00a1-\uffff]*/y;
const NUMBER = /(?:0[xXbBoO][\da-fA-F_]+|\d[\d_]*\.?[\d_]*(?:[eE][+-]?\d+)?)n?/y;

/** After one of these words a slash begins a pattern; after any other word it divides. */
const BEFORE_PATTERN = new Set(
  'return typeof case in of delete void throw new else do instanceof await yield'.split(' '),
);

function patternMayFollow(last: Token | undefined): boolean {
  if (last === undefined) return true;
  if (last.kind === 'word') return BEFORE_PATTERN.has(last.text);
  return last.kind === 'mark' && last.text !== ')' && last.text !== ']' && last.text !== '}';
}

export function tokens(source: string): Token[] {
  const out: Token[] = [];
  // For each open template its brace depth: at 0 a closing brace goes back into the text.
  const templates: number[] = [];
  let i = 0;
  let line = 1;
  const push = (kind: Token['kind'], text: string): void => {
    out.push({ kind, text, line });
  };
  const fail = (what: string): never => {
    throw new Error(`line ${line}: ${what}`);
  };
  /** Reads template text from i to the closing backquote or to `${`. */
  const templateText = (): void => {
    const from = i;
    const began = line;
    for (;;) {
      const c = source[i];
      if (c === undefined) throw new Error(`line ${line}: a template that does not end`);
      if (c === '\\') i++;
      if (c === '\n') line++;
      if (c === '`' || (c === '$' && source[i + 1] === '{')) break;
      i++;
    }
    out.push({ kind: 'template', text: source.slice(from, i), line: began });
    if (source[i] === '`') {
      i++;
    } else {
      i += 2;
      templates.push(0);
      push('mark', '${');
    }
  };
  while (i < source.length) {
    const c = source[i] as string;
    const two = source.slice(i, i + 2);
    if (c === '\n') {
      line++;
      i++;
    } else if (/\s/.test(c) || c === '\ufeff') {
      i++;
    } else if (two === '//' || (two === '#!' && i === 0)) {
      while (i < source.length && source[i] !== '\n') i++;
    } else if (two === '/*') {
      const end = source.indexOf('*/', i + 2);
      if (end < 0) fail('a comment that does not end');
      for (const d of source.slice(i, end)) if (d === '\n') line++;
      i = end + 2;
    } else if (c === '"' || c === "'") {
      const from = ++i;
      while (source[i] !== c) {
        if (source[i] === undefined || source[i] === '\n') fail('a string that does not end');
        i += source[i] === '\\' ? 2 : 1;
      }
      push('string', source.slice(from, i++));
    } else if (c === '`') {
      i++;
      templateText();
    } else if (c === '/' && patternMayFollow(out.at(-1))) {
      const from = i++;
      let inClass = false;
      while (source[i] !== '/' || inClass) {
        if (source[i] === undefined || source[i] === '\n') fail('a pattern that does not end');
        if (source[i] === '[') inClass = true;
        if (source[i] === ']') inClass = false;
        i += source[i] === '\\' ? 2 : 1;
      }
      i++;
      while (/[a-z]/.test(source[i] ?? '')) i++;
      push('pattern', source.slice(from, i));
    } else if (c === '}' && templates.at(-1) === 0) {
      templates.pop();
      push('mark', '}');
      i++;
      templateText();
    } else {
      WORD.lastIndex = i;
      NUMBER.lastIndex = i;
      const word = WORD.exec(source);
      const number = word === null ? NUMBER.exec(source) : null;
      const text = word?.[0] ?? number?.[0] ?? c;
      push(word !== null ? 'word' : number !== null ? 'number' : 'mark', text);
      i += text.length;
      const depth = templates.length - 1;
      if (depth >= 0 && text === '{') templates[depth] = (templates[depth] as number) + 1;
      if (depth >= 0 && text === '}') templates[depth] = (templates[depth] as number) - 1;
    }
  }
  if (templates.length > 0) fail('a template that does not end');
  return out;
}

/** Every import, re-export, import() and typeof import() of a file. */
export function imports(all: readonly Token[]): Import[] {
  const found: Import[] = [];
  all.forEach((token, n) => {
    if (token.kind !== 'word' || all[n - 1]?.text === '.') return;
    const after = all[n + 1];
    if (token.text === 'import') {
      if (after?.text === '.' || after?.text === ':') return;
      if (after?.kind === 'string') {
        found.push({ kind: 'static', from: after.text, typeOnly: false, names: [], line: token.line });
      } else if (after?.kind === 'mark' && after.text === '(') {
        const argument = all[n + 2];
        const plain = argument?.kind === 'string' && (all[n + 3]?.text === ')' || all[n + 3]?.text === ',');
        found.push({
          kind: plain ? 'dynamic' : 'computed',
          from: plain ? argument.text : '',
          typeOnly: all[n - 1]?.text === 'typeof',
          names: ['*'],
          line: token.line,
        });
      } else {
        found.push(clause('static', all, n));
      }
    } else if (token.text === 'export') {
      const type = after?.text === 'type' ? 1 : 0;
      const opens = all[n + 1 + type];
      if (opens?.kind !== 'mark' || (opens.text !== '{' && opens.text !== '*')) return;
      const of = opens.text === '*' || followsBraces(all, n + 1 + type)?.text === 'from';
      if (of) found.push(clause('export', all, n));
    } else if (token.text === 'require' && after?.text === '(') {
      found.push({ kind: 'computed', from: 'require', typeOnly: false, names: ['*'], line: token.line });
    }
  });
  return found;
}

/** The token after the braces that open at `n`. */
function followsBraces(all: readonly Token[], n: number): Token | undefined {
  const close = all.findIndex((t, i) => i > n && t.kind === 'mark' && t.text === '}');
  return close < 0 ? undefined : all[close + 1];
}

/** Reads `import|export <what> from 'x'` beginning at `n`. */
function clause(kind: 'static' | 'export', all: readonly Token[], n: number): Import {
  const head = all[n] as Token;
  const end = all.findIndex((t, i) => i > n && t.text === 'from' && all[i + 1]?.kind === 'string');
  const between = end < 0 ? [] : all.slice(n + 1, end);
  if (end < 0 || between.some((t) => t.text === ';')) {
    throw new Error(`line ${head.line}: an ${head.text} that cannot be read`);
  }
  const wholeType = between[0]?.text === 'type' && between[1]?.text !== ',' && between.length > 1;
  const names: string[] = [];
  let types = 0;
  let inside = false;
  for (let i = wholeType ? 1 : 0; i < between.length; i++) {
    const token = between[i] as Token;
    if (token.text === '{') inside = true;
    else if (token.text === '*') names.push('*');
    if (token.kind !== 'word') continue;
    if (between[i - 1]?.text === 'as') continue;
    if (token.text === 'as') continue;
    if (inside && token.text === 'type' && between[i + 1]?.kind === 'word') types++;
    else names.push(inside ? token.text : 'default');
  }
  return {
    kind,
    from: (all[end + 1] as Token).text,
    typeOnly: wholeType || (names.length > 0 && types === names.length),
    names,
    line: head.line,
  };
}
