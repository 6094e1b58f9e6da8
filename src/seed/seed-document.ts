import { isUtf8 } from 'node:buffer';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { getNodePath, type Node, type ParseError, parseTree, printParseErrorCode } from 'jsonc-parser';
import type { Refusal } from '../config.ts';

const MAX_FILE_BYTES = 64 * 1024 * 1024;
const MAX_FILES = 1_000;

/**
 * Invalid seed data. The message is one line that begins with the place: `file:line:column`, or a path in an object.
 */
export class SeedError extends Error implements Refusal {
  override readonly name = 'SeedError';
  readonly kind = 'refusal';
  /** On the command line, seed data comes from nowhere else. */
  readonly option = '--seed-dir';
}

/** Parsed JSON that knows the place of each of its parts. */
export interface SeedDocument {
  readonly text: string;
  readonly root: Node;
  /** The file's path, or a name for an object of the caller. */
  readonly source: string;
  placeOf(node: Node): string;
}

/**
 * Reads a file, or all `.json` files of a folder, sorted by name.
 * @throws SeedError
 */
export function readDocuments(path: string): readonly SeedDocument[] {
  try {
    if (!statSync(path).isDirectory()) return [readDocument(path)];
    const names = readdirSync(path).filter((name) => name.endsWith('.json'));
    if (names.length === 0) throw new SeedError(`${path}: there is no .json file`);
    if (names.length > MAX_FILES) throw new SeedError(`${path}: there are more than ${MAX_FILES} .json files`);
    return names.sort().map((name) => readDocument(join(path, name)));
  } catch (error) {
    if (error instanceof SeedError || !(error instanceof Error && 'syscall' in error)) throw error;
    const isThere = (error as NodeJS.ErrnoException).code !== 'ENOENT';
    throw new SeedError(`${path}: ${isThere ? error.message : 'there is no such file or folder'}`);
  }
}

/**
 * Makes a document of an object. Values that JSON does not have are written as `JSON.stringify` writes them.
 * @throws SeedError
 */
export function documentOf(value: object): SeedDocument {
  const source = 'seed';
  const text = JSON.stringify(value);
  if (text === undefined) throw new SeedError(`${source}: it is no JSON`);
  const placeOf = (node: Node) =>
    getNodePath(node).reduce<string>(
      (place, step) => place + (typeof step === 'number' ? `[${step}]` : `.${step}`),
      source,
    );
  return { text, root: parse(text, () => source), source, placeOf };
}

function readDocument(path: string): SeedDocument {
  const { size } = statSync(path);
  if (size > MAX_FILE_BYTES) throw new SeedError(`${path}: it has more than ${MAX_FILE_BYTES} bytes`);
  const bytes = readFileSync(path);
  if (!isUtf8(bytes)) throw new SeedError(`${path}: it is not UTF-8`);
  // Some editors begin a file with a byte order mark, which JSON does not allow.
  const text = bytes.toString('utf8').replace(/^\uFEFF/, '');
  const positions = positionsIn(text);
  const placeAt = (offset: number) => `${path}:${positions(offset)}`;
  return { text, root: parse(text, placeAt), source: path, placeOf: ({ offset }) => placeAt(offset) };
}

function parse(text: string, placeAt: (offset: number) => string): Node {
  const errors: ParseError[] = [];
  let root: Node | undefined;
  try {
    root = parseTree(text, errors, { disallowComments: true });
  } catch (error) {
    if (error instanceof RangeError) throw new SeedError(`${placeAt(0)}: it nests too deeply`);
    throw error;
  }
  const [first] = errors;
  if (first !== undefined)
    throw new SeedError(`${placeAt(first.offset)}: it is no JSON: ${TEXTS[printParseErrorCode(first.error)]}`);
  if (root === undefined) throw new SeedError(`${placeAt(0)}: it is empty`);
  return root;
}

/** @returns a function that gives the `line:column` of an offset, both from 1 */
function positionsIn(text: string): (offset: number) => string {
  const lineStarts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lineStarts.push(at + 1);
  return (offset) => {
    let [low, high] = [0, lineStarts.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (lineStarts[middle]! <= offset) low = middle;
      else high = middle;
    }
    return `${low + 1}:${offset - lineStarts[low]! + 1}`;
  };
}

/** Keyed by the names of jsonc-parser's error codes: it exports that enum as a type only. */
const TEXTS: Readonly<Record<string, string>> = {
  InvalidSymbol: 'this is no value',
  InvalidNumberFormat: 'this is no number',
  UnexpectedEndOfNumber: 'this is no number',
  PropertyNameExpected: 'the name of a member is missing',
  ValueExpected: 'a value is missing',
  ColonExpected: 'a colon is missing',
  CommaExpected: 'a comma is missing',
  CloseBraceExpected: 'a closing brace is missing',
  CloseBracketExpected: 'a closing bracket is missing',
  EndOfFileExpected: 'there is more after its end',
  InvalidCommentToken: 'it has no comments',
  UnexpectedEndOfComment: 'it has no comments',
  UnexpectedEndOfString: 'a text does not end in its line',
  InvalidUnicode: 'an escape in a text is none',
  InvalidEscapeCharacter: 'an escape in a text is none',
  InvalidCharacter: 'a text has a character that must be escaped',
};
