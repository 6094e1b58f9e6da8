import type { Pause } from './pause.ts';

/** A slice ends at the first comma after this many bytes or containers. */
export interface SliceSize {
  readonly bytes: number;
  readonly containers: number;
}

/** Takes a few milliseconds of `JSON.parse`, and up to 20 ms of validation. */
const SLICE_SIZE: SliceSize = { bytes: 128 * 1024, containers: 8 * 1024 };
/**
 * The end of a longer text is left out. The remainder has more than the 400 KB of an item in UTF-8, even if all of it
 * is written in escapes of six bytes, so it is refused for its length as the complete text would be.
 */
const LONGEST_TEXT = 2_500_000;
/** How many bytes `planSlices` walks over before it yields. */
const WALK_BYTES = 1024 * 1024;
/** Deepest nesting. The service's 32 levels of values are at most seventy of JSON. */
const MAX_OPEN = 256;
/** The end of a longer text is searched with `indexOf`, which is native. */
const SHORT_TEXT = 48;

/** A container that is open where the text is cut. */
interface Opened {
  readonly isArray: boolean;
  /** The byte range of its key, a JSON text. Empty in an array. */
  readonly keyFrom: number;
  readonly keyTo: number;
}

export interface Slice {
  /** The byte range, without the comma or bracket that ends it. */
  readonly from: number;
  readonly to: number;
  /** Outermost first. */
  readonly opened: readonly Opened[];
  /** The innermost cut container ends with this slice. */
  readonly closes: boolean;
  /** The slice follows a comma or a bracket, so it must not be empty. */
  readonly isNeeded: boolean;
  /** Byte ranges within it that are left out. */
  readonly leftOut: readonly Range[];
}

interface Range {
  readonly from: number;
  readonly to: number;
}

export interface SlicePlan {
  readonly slices: readonly Slice[];
  /** Number of objects and arrays. */
  readonly containers: number;
}

/** Limits on what a text may hold. */
export interface SliceLimits {
  /** Objects and arrays. */
  readonly maxContainers: number;
  /** Members of all objects and arrays, without the first of each. */
  readonly maxMembers: number;
}

/** Why a text is refused before it is parsed. */
export type Unsliceable = 'broken' | 'too-deep' | 'too-many';

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const LETTER_C = 0x63;
const LETTER_D = 0x64;
const LETTER_U = 0x75;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/**
 * Finds where to cut a text.
 * @returns a problem that keeps it from being parsed at all; all other errors are left to `JSON.parse`
 */
export async function planSlices(
  body: Uint8Array,
  limits: SliceLimits,
  pause: Pause,
  size = SLICE_SIZE,
): Promise<SlicePlan | Unsliceable> {
  const walk = new Walk(body, limits, size);
  for (let to = WALK_BYTES; ; to += WALK_BYTES) {
    const problem = walk.until(Math.min(to, body.length));
    if (problem !== undefined) return problem;
    if (to >= body.length) return walk.end();
    await pause();
  }
}

class Walk {
  readonly #body: Uint8Array;
  readonly #limits: SliceLimits;
  readonly #size: SliceSize;
  readonly #slices: Slice[] = [];
  #at = 0;
  #containers = 0;
  #members = 0;
  /** The number of open containers. The arrays below describe them, outermost first. */
  #open = 0;
  readonly #isArray = new Uint8Array(MAX_OPEN);
  readonly #keyFrom = new Int32Array(MAX_OPEN);
  readonly #keyTo = new Int32Array(MAX_OPEN);
  /** How many of the open containers have been cut; the surroundings of the text count as none. */
  #cut = 0;
  #from = 0;
  #containersBefore = 0;
  #isNeeded = true;
  /** A cut container has just ended: a comma or a bracket must follow. */
  #isAfterCut = false;
  #leftOut: Range[] = [];
  /** The last text that may be a key. */
  #textFrom = 0;
  #textTo = 0;

  constructor(body: Uint8Array, limits: SliceLimits, size: SliceSize) {
    this.#body = body;
    this.#limits = limits;
    this.#size = size;
  }

  /** Walks to `to`, or to the end of a text that begins before it. */
  until(to: number): Unsliceable | undefined {
    const body = this.#body;
    let at = this.#at;
    while (at < to) {
      const byte = body[at]!;
      if (byte === QUOTE) {
        if (this.#isAfterCut) return 'broken';
        const end = endOfText(body, at);
        if (end - at > LONGEST_TEXT + 20) {
          this.#leftOut.push({ from: endOfStart(body, at), to: end - 1 });
        }
        this.#textFrom = at;
        this.#textTo = end;
        at = end;
      } else if (byte === COMMA) {
        if (++this.#members > this.#limits.maxMembers) return 'too-many';
        if (this.#isAfterCut) this.#begin(at + 1);
        else if (this.#isLong(at)) this.#cutAt(at);
        at++;
      } else if (byte === OPEN_ARRAY || byte === OPEN_OBJECT) {
        if (this.#isAfterCut) return 'broken';
        if (this.#open === MAX_OPEN) return 'too-deep';
        if (++this.#containers > this.#limits.maxContainers) return 'too-many';
        this.#isArray[this.#open] = byte === OPEN_ARRAY ? 1 : 0;
        this.#keyFrom[this.#open] = this.#textFrom;
        this.#keyTo[this.#open++] = this.#textTo;
        at++;
      } else if (byte === CLOSE_ARRAY || byte === CLOSE_OBJECT) {
        if (this.#open === 0) return 'broken';
        if ((this.#isArray[--this.#open] === 1) !== (byte === CLOSE_ARRAY)) return 'broken';
        if (this.#open < this.#cut) this.#closeAt(at);
        at++;
      } else {
        if (this.#isAfterCut && !isSpace(byte)) return 'broken';
        at++;
      }
    }
    this.#at = at;
    return undefined;
  }

  end(): SlicePlan | Unsliceable {
    if (this.#open > 0 || this.#at > this.#body.length) return 'broken';
    if (!this.#isAfterCut) this.#add({ to: this.#body.length, opened: [], closes: false });
    return { slices: this.#slices, containers: this.#containers };
  }

  #isLong(at: number): boolean {
    const { bytes, containers } = this.#size;
    return at - this.#from >= bytes || this.#containers - this.#containersBefore >= containers;
  }

  #cutAt(at: number): void {
    const opened: Opened[] = [];
    for (let level = this.#cut; level < this.#open; level++) {
      // In an array, the range is the text before the element, which is no key; it is not read.
      opened.push({ isArray: this.#isArray[level] === 1, keyFrom: this.#keyFrom[level]!, keyTo: this.#keyTo[level]! });
    }
    this.#add({ to: at, opened, closes: false });
    this.#cut = this.#open;
    this.#begin(at + 1);
  }

  #closeAt(at: number): void {
    // If its last member was cut too, nothing is left of the container.
    if (!this.#isAfterCut) this.#add({ to: at, opened: [], closes: true });
    else this.#slices.push({ from: at, to: at, opened: [], closes: true, isNeeded: false, leftOut: [] });
    this.#cut = this.#open;
    this.#begin(at + 1);
    this.#isAfterCut = true;
  }

  #begin(at: number): void {
    this.#from = at;
    this.#containersBefore = this.#containers;
    this.#isNeeded = true;
    this.#isAfterCut = false;
  }

  #add({ to, opened, closes }: Pick<Slice, 'to' | 'opened' | 'closes'>): void {
    this.#slices.push({ from: this.#from, to, opened, closes, isNeeded: this.#isNeeded, leftOut: this.#leftOut });
    this.#leftOut = [];
  }
}

/** @returns the position after the closing quote; behind the body if there is none */
function endOfText(body: Uint8Array, from: number): number {
  const short = Math.min(body.length, from + SHORT_TEXT);
  let at = from + 1;
  for (; at < short; at++) {
    const byte = body[at]!;
    if (byte === QUOTE) return at + 1;
    if (byte === BACKSLASH) at++;
  }
  const quote = body.indexOf(QUOTE, at);
  if (quote < 0) return body.length + 1;
  const backslash = body.subarray(at, quote).indexOf(BACKSLASH);
  if (backslash < 0) return quote + 1;
  for (at += backslash; at < body.length; at++) {
    const byte = body[at]!;
    if (byte === QUOTE) return at + 1;
    if (byte === BACKSLASH) at++;
  }
  return body.length + 1;
}

/** Where the omitted end of a long text begins: on a character boundary. */
function endOfStart(body: Uint8Array, from: number): number {
  // The position if no character is escaped. The length kept is a multiple of four, as base64 requires.
  const least = from + 1 + LONGEST_TEXT;
  if (body.subarray(from, least).indexOf(BACKSLASH) < 0) {
    let at = least;
    while ((body[at]! & 0xc0) === 0x80) at++;
    return at;
  }
  let at = from + 1;
  while (at < least) at += body[at] !== BACKSLASH ? 1 : body[at + 1] === LETTER_U ? 6 : 2;
  while ((body[at]! & 0xc0) === 0x80) at++;
  // The second half of an escaped surrogate pair stays with the first.
  const isHalf = body[at] === BACKSLASH && body[at + 1] === LETTER_U && (body[at + 2]! | 0x20) === LETTER_D;
  return isHalf && (body[at + 3]! | 0x20) >= LETTER_C ? at + 6 : at;
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
