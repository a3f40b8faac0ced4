/**
 * XML as a tree of elements with their lines, for the readers of GraphML and NML. A document type, entities
 * of its own, processing instructions other than the declaration, and deep or endless nesting are refused:
 * none of the notations needs them, and each is somebody's way in.
 */
import sax from 'sax';
import { MAX_TEXT } from './format.ts';

const MAX_DEPTH = 64;
const MAX_ELEMENTS = 2_000_000;

export interface XmlElement {
  /** Without its prefix. */
  readonly name: string;
  readonly namespace: string;
  readonly line: number;
  /** By local name; the attributes of these notations do not clash. */
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: XmlElement[];
  text: string;
}

export class XmlError extends Error {
  readonly line: number;
  readonly code: string;
  constructor(line: number, code: string, message: string) {
    super(message);
    this.line = line;
    this.code = code;
  }
}

export function parseXml(text: string): XmlElement {
  if (text.length > MAX_TEXT)
    throw new XmlError(1, 'TOO_LARGE', `a text is at most ${MAX_TEXT} characters long`);
  // strictEntities (only the five of XML itself) is newer than the type declarations.
  const options = { xmlns: true, position: true, strictEntities: true } as sax.SAXOptions;
  const parser = sax.parser(true, options);
  const stack: XmlElement[] = [];
  let root: XmlElement | undefined;
  let elements = 0;
  const stop = (code: string, message: string): never => {
    throw new XmlError(parser.line + 1, code, message);
  };
  parser.onerror = (error) => stop('BAD_XML', (error.message.split('\n')[0] ?? '').slice(0, 200));
  parser.ondoctype = () => stop('DOCTYPE', 'a document type is not accepted');
  parser.onsgmldeclaration = () => stop('DOCTYPE', 'declarations are not accepted');
  parser.onprocessinginstruction = ({ name }) => {
    if (name !== 'xml') stop('INSTRUCTION', 'processing instructions are not accepted');
  };
  parser.onopentag = (tag) => {
    if (stack.length >= MAX_DEPTH) stop('TOO_DEEP', `nothing nests deeper than ${MAX_DEPTH}`);
    if (++elements > MAX_ELEMENTS) stop('TOO_LARGE', `there are more than ${MAX_ELEMENTS} elements`);
    // With `xmlns` every tag is a qualified one; the declared type covers both modes.
    const qualified = tag as sax.QualifiedTag;
    const attributes: Record<string, string> = Object.create(null);
    for (const attribute of Object.values(qualified.attributes)) {
      if (attribute.prefix !== 'xmlns') attributes[attribute.local] = attribute.value;
    }
    const element: XmlElement = {
      name: qualified.local,
      namespace: qualified.uri,
      line: parser.line + 1,
      attributes,
      children: [],
      text: '',
    };
    stack.at(-1)?.children.push(element);
    root ??= element;
    stack.push(element);
  };
  parser.onclosetag = () => {
    stack.pop();
  };
  const addText = (more: string): void => {
    const element = stack.at(-1);
    if (element !== undefined) element.text += more;
  };
  parser.ontext = addText;
  parser.oncdata = addText;
  // Pieces: what stops early has then not copied the rest.
  for (let i = 0; i < text.length; i += 65_536) parser.write(text.slice(i, i + 65_536));
  parser.close();
  if (root === undefined) throw new XmlError(1, 'BAD_XML', 'there is no element');
  return root;
}

/** All elements below, in the order of the text. */
export function* descendants(element: XmlElement): Generator<XmlElement> {
  for (const child of element.children) {
    yield child;
    yield* descendants(child);
  }
}

export const childrenOf = (element: XmlElement, name: string): XmlElement[] =>
  element.children.filter((child) => child.name === name);
