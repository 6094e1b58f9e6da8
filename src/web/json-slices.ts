import { isUtf8 } from 'node:buffer';
import { parseText } from './parse-json.ts';
import type { Pause } from './pause.ts';
import { planSlices, type Slice, type SliceLimits, type SlicePlan } from './slice-plan.ts';

/**
 * JSON of any size, parsed a slice at a time.
 *
 * `planSlices` walks over the bytes and makes nothing: it counts, and finds the commas at which the text can be cut.
 * `parseSlices` has `JSON.parse` read the text between two cuts, with the brackets added that are open there. So a container
 * that is longer than a slice comes out as several chunks, and everything else as it would have at once.
 */

/** A container that came in several chunks, none of which is empty. */
export interface Part {
  readonly parent: Part | undefined;
  /** The chunk of the parent that holds it, and where. */
  readonly holder: Chunk;
  readonly key: string | number;
  readonly chunks: Chunk[];
}

export type Chunk = unknown[] | Record<string, unknown>;

export interface Parsed {
  /** Whole, but for the parts, which have only their first chunk in their place. */
  readonly value: unknown;
  /** Parents before what is in them. */
  readonly parts: readonly Part[];
}

/**
 * Parses what has been planned.
 * @param mostElements of an array that came in several chunks; of what goes far beyond, the rest is parsed and not kept
 * @returns undefined if it is no JSON as the service takes it (`parseJson`)
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
  /** The containers that are cut and not at their end; none of them: what stands around the text. */
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

/** A container that is cut and not at its end. */
interface OpenPart {
  readonly part: Part;
  /** Those that are kept, if it is an array. */
  elements: number;
  /** What comes now is not kept, nor what is in it. */
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
 * Notes the containers in which a slice has ended: each is the last that there is in the one before.
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
 * All of it in one: what `parseJson` makes of the body, with pauses.
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

/** Adds the members of one chunk to another one of the same container. */
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

/** As `JSON.parse` does it: `__proto__` is a name like any other. */
export function setMember(container: Chunk, key: string | number, value: unknown): void {
  if (key !== '__proto__') (container as Record<string | number, unknown>)[key] = value;
  else Object.defineProperty(container, key, { value, writable: true, enumerable: true, configurable: true });
}

function isEmpty(chunk: Chunk): boolean {
  if (Array.isArray(chunk)) return chunk.length === 0;
  for (const _ in chunk) return false;
  return true;
}
