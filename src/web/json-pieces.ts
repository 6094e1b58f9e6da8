import type { Pause } from './pause.ts';

/** List elements that are converted without a pause; an item has up to 400 KB. */
const ELEMENTS_AT_ONCE = 16;
/** After this many characters the event loop is yielded. */
const CHARACTERS_AT_ONCE = 1024 * 1024;

/**
 * `JSON.stringify` with pauses, in UTF-8, for values whose lists may hold hundreds of megabytes.
 * @param value plain data
 * @param end a text to append
 */
export async function jsonInPieces(value: object, pause: Pause, end = ''): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let text = '';
  const write = async (more: string): Promise<void> => {
    text += more;
    if (text.length < CHARACTERS_AT_ONCE) return;
    pieces.push(Buffer.from(text));
    text = '';
    await pause();
  };
  for (const piece of piecesOf(value)) await write(piece);
  pieces.push(Buffer.from(text + end));
  return Buffer.concat(pieces);
}

/** Descends into objects and short lists, because they may contain a long list. */
function* piecesOf(value: unknown): Generator<string> {
  if (Array.isArray(value)) {
    if (value.length <= ELEMENTS_AT_ONCE) yield* list(value);
    else yield* longList(value);
  } else if (typeof value === 'object' && value !== null) {
    let before = '{';
    for (const [key, member] of Object.entries(value)) {
      if (member === undefined) continue;
      yield `${before}${JSON.stringify(key)}:`;
      yield* piecesOf(member);
      before = ',';
    }
    yield before === '{' ? '{}' : '}';
  } else {
    yield JSON.stringify(value);
  }
}

function* list(elements: readonly unknown[]): Generator<string> {
  for (const [at, element] of elements.entries()) {
    yield at === 0 ? '[' : ',';
    yield* piecesOf(element);
  }
  yield elements.length === 0 ? '[]' : ']';
}

function* longList(elements: readonly unknown[]): Generator<string> {
  for (let from = 0; from < elements.length; from += ELEMENTS_AT_ONCE) {
    yield from === 0 ? '[' : ',';
    yield JSON.stringify(elements.slice(from, from + ELEMENTS_AT_ONCE)).slice(1, -1);
  }
  yield ']';
}
