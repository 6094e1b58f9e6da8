import { isUtf8 } from 'node:buffer';
import { parseText } from './parse-json.ts';
import type { Pause } from './pause.ts';
import { planSlices, type Slice, type SliceLimits, type SlicePlan } from './slice-plan.ts';

/**
 * Parses JSON of any size, one slice at a time.
 *
 * `planSlices` walks over the bytes without building values: it counts containers, and finds the commas at which the
 * text can be cut. `parseSlices` runs `JSON.parse` on the text between two cuts, and adds the brackets that are open
 * there. So a container that is longer than a slice comes out as several chunks; everything else comes out as from a
 * single `JSON.parse`.
 */

/** A container that was parsed in several chunks. No chunk is empty. */
export interface Part {
  readonly parent: Part | undefined;
  /** The chunk of the parent that holds this container, and its key there. */
  readonly holder: Chunk;
  readonly key: string | number;
  readonly chunks: Chunk[];
}

export type Chunk = unknown[] | Record<string, unknown>;

export interface Parsed {
  /** Complete, except that each part is represented by its first chunk. */
  readonly value: unknown;
  /** A parent comes before the parts inside it. */
  readonly parts: readonly Part[];
}

/**
 * Parses the slices of a plan.
 * @param mostElements longest array to keep, for arrays that come in several chunks; elements far beyond it are parsed
 *   and dropped
 * @returns undefined if the service would not accept it as JSON (see `parseJson`)
 */
export async function parseSlices(
  body: Uint8Array,
  { slices }: SlicePlan,
  pause: Pause,
  mostElements = Number.POSITIVE_INFINITY,
): Promise<Parsed | undefined> {
  if (!isUtf8(body)) return undefined;
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.length);
  const root: unknown[] = [];
  const parts: Part[] = [];
  /**
   * The containers that were cut and have not ended. While it is empty, the surroundings of the text are being read.
   */
  const open: OpenPart[] = [];
  for (const [at, slice] of slices.entries()) {
    if (at > 0) await pause();
    const into = open.at(-1);
    const isArray = into === undefined || Array.isArray(into.part.chunks[0]);
    if (slice.from < slice.to || slice.isNeeded) {
      const chunk = parseSlice(bytes, slice, isArray ? '[]' : '{}');
      if (chunk === undefined) return undefined;
      if (into === undefined) for (const value of chunk as unknown[]) root.push(value);
      else if (into.isFull || into.elements > mostElements) into.isFull = true;
      else keep(into, chunk);
      if (!openParts(bytes, slice, into === undefined ? root : chunk, { open, parts })) return undefined;
    }
    if (slice.closes) open.pop();
  }
  return root.length === 1 ? { value: root[0], parts } : undefined;
}

/** A container that was cut and has not ended. */
interface OpenPart {
  readonly part: Part;
  /** Number of elements kept, if it is an array. */
  elements: number;
  /** Further content is dropped, including containers inside it. */
  isFull: boolean;
}

function keep(into: OpenPart, chunk: Chunk): void {
  into.part.chunks.push(chunk);
  if (Array.isArray(chunk)) into.elements += chunk.length;
}

function parseSlice(bytes: Buffer, slice: Slice, [start, end]: string): Chunk | undefined {
  const { opened, isNeeded } = slice;
  let text = start + textOf(bytes, slice);
  for (let level = opened.length - 1; level >= 0; level--) text += opened[level]!.isArray ? ']' : '}';
  const chunk = parseText(text + end) as Chunk | undefined;
  if (chunk === undefined || !isNeeded) return chunk;
  return isEmpty(chunk) ? undefined : chunk;
}

function textOf(bytes: Buffer, { from, to, leftOut }: Pick<Slice, 'from' | 'to' | 'leftOut'>): string {
  let text = '';
  let at = from;
  for (const range of leftOut) {
    text += bytes.toString('utf8', at, range.from);
    at = range.to;
  }
  return text + bytes.toString('utf8', at, to);
}

/** The parts of a text that `openParts` adds to. */
interface PartLists {
  readonly open: OpenPart[];
  readonly parts: Part[];
}

/**
 * Records the containers in which a slice ends. Each is the last element of the one before.
 * @returns false if there is nothing between the last bracket and the comma
 */
function openParts(bytes: Buffer, slice: Slice, chunk: Chunk, { open, parts }: PartLists): boolean {
  let holder = chunk;
  for (const { keyFrom: from, keyTo: to } of slice.opened) {
    const leftOut = slice.leftOut.filter((range) => from <= range.from && range.to <= to);
    const key = Array.isArray(holder)
      ? holder.length - 1
      : (JSON.parse(textOf(bytes, { from, to, leftOut })) as string);
    const within = open.at(-1);
    const first = memberOf(holder, key) as Chunk;
    const part = { parent: within?.part, holder, key, chunks: [first] };
    const isFull = within?.isFull === true;
    open.push({ part, elements: Array.isArray(first) ? first.length : 0, isFull });
    if (!isFull) parts.push(part);
    holder = first;
  }
  return slice.opened.length === 0 || !isEmpty(holder);
}

/**
 * Parses a body as `parseJson` does, but with pauses.
 * @returns undefined if it is no JSON
 */
export async function parseInSlices(body: Uint8Array, pause: Pause): Promise<unknown> {
  const plan = await planSlices(body, NO_LIMITS, pause);
  const parsed = typeof plan === 'string' ? undefined : await parseSlices(body, plan, pause);
  if (parsed === undefined) return undefined;
  for (const { chunks } of parsed.parts) {
    for (const chunk of chunks.slice(1)) {
      append(chunks[0]!, chunk);
      await pause();
    }
  }
  return parsed.value;
}

const NO_LIMITS: SliceLimits = { maxContainers: Number.POSITIVE_INFINITY, maxMembers: Number.POSITIVE_INFINITY };

/** Appends the members of a chunk to another chunk of the same container. */
export function append(whole: Chunk, chunk: Chunk): void {
  if (Array.isArray(whole)) {
    for (const value of chunk as unknown[]) whole.push(value);
  } else {
    for (const key of Object.keys(chunk)) setMember(whole, key, memberOf(chunk, key));
  }
}

export function memberOf(container: Chunk, key: string | number): unknown {
  return (container as Record<string | number, unknown>)[key];
}

/** Sets a member as `JSON.parse` does: `__proto__` is an ordinary name. */
export function setMember(container: Chunk, key: string | number, value: unknown): void {
  if (key !== '__proto__') (container as Record<string | number, unknown>)[key] = value;
  else Object.defineProperty(container, key, { value, writable: true, enumerable: true, configurable: true });
}

function isEmpty(chunk: Chunk): boolean {
  if (Array.isArray(chunk)) return chunk.length === 0;
  for (const _ in chunk) return false;
  return true;
}
