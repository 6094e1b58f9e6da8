import type { AttributeMap } from './attribute-value.ts';
import { fromImage, type ItemImage } from './item.ts';

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPENING_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSING_BRACKET = 0x5d;
const OPENING_BRACE = 0x7b;
const CLOSING_BRACE = 0x7d;

/** A text up to this length is looked through here; `indexOf`, which a call costs as much, ends a longer one. */
const SHORT_TEXT = 48;

/**
 * Reads a few attributes of stored items without parsing the rest: looking through the bytes costs a fifth of that, and
 * leaves nothing to the garbage collector.
 */
export class PartReader {
  /** Each as it stands in the JSON text of an item, with its quotes. */
  readonly #names: readonly Uint8Array[];

  /** @param names of top-level attributes */
  constructor(names: Iterable<string>) {
    this.#names = [...new Set(names)].map((name) => Buffer.from(JSON.stringify(name)));
  }

  /** @returns those of the attributes that the item has, and no others: for reading what else it has, it is of no use */
  read(image: ItemImage): AttributeMap {
    const json = asBuffer(image.json);
    let text = '';
    let left = this.#names.length;
    // `toImage` and `toImageInSlices` write no white space, and write a value as an object.
    for (let at = 1; left > 0 && json[at] === QUOTE; ) {
      const nameEnd = endOfText(json, at);
      const end = endOfValue(json, nameEnd + 1);
      if (json[nameEnd] !== COLON || end > json.length) return fromImage(image);
      if (this.#isNamed(json, at, nameEnd)) {
        text += `${text === '' ? '{' : ','}${json.toString('utf8', at, end)}`;
        left--;
      }
      if (json[end] !== COMMA) break;
      at = end + 1;
    }
    return text === '' ? {} : (JSON.parse(`${text}}`) as AttributeMap);
  }

  #isNamed(json: Uint8Array, from: number, to: number): boolean {
    for (const name of this.#names) {
      if (name.length !== to - from) continue;
      let at = 0;
      while (at < name.length && name[at] === json[from + at]) at++;
      if (at === name.length) return true;
    }
    return false;
  }
}

/** @param at where a text begins, with its quote. @returns where what follows it begins */
function endOfText(json: Buffer, at: number): number {
  for (let next = at + 1; ; next++) {
    if (next - at > SHORT_TEXT) return endOfLongText(json, next);
    const byte = json[next];
    if (byte === QUOTE) return next + 1;
    if (byte === BACKSLASH) next++;
    else if (byte === undefined) return json.length + 1;
  }
}

/** @param from a place in a text that no backslash before it escapes */
function endOfLongText(json: Buffer, from: number): number {
  for (let begin = from; ; ) {
    const quote = json.indexOf(QUOTE, begin);
    if (quote < 0) return json.length + 1;
    let first = quote;
    while (first > from && json[first - 1] === BACKSLASH) first--;
    if ((quote - first) % 2 === 0) return quote + 1;
    begin = quote + 1;
  }
}

/** @param at where an object begins. @returns where what follows it begins; behind the end of the bytes if it has no end */
function endOfValue(json: Buffer, at: number): number {
  let depth = 0;
  for (let next = at; next < json.length; ) {
    const byte = json[next]!;
    if (byte === QUOTE) {
      next = endOfText(json, next);
      continue;
    }
    next++;
    if (byte === OPENING_BRACE || byte === OPENING_BRACKET) depth++;
    else if ((byte === CLOSING_BRACE || byte === CLOSING_BRACKET) && --depth === 0) return next;
  }
  return json.length + 1;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
