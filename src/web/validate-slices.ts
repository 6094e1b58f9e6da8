import { ApiError } from '../api/errors.ts';
import { itemTooLarge, MAX_ITEM_BYTES } from '../api/item-limits.ts';
import type { OperationName } from '../api/operations.ts';
import { append, type Chunk, memberOf, type Parsed, type Part, setMember } from './json-slices.ts';
import type { Pause } from './pause.ts';
import { childSchema, readSchema, resolve, type Schema } from './schema.ts';
import { validateRequest } from './validate.ts';

/** Parts of an item, which may be as long as an item. No other list or map of a request needs to be that long. */
const IN_ITEMS: ReadonlySet<string | number> = new Set(['Item', 'AttributeUpdates', 'M', 'L', 'SS', 'NS', 'BS']);
/** Longest map or list elsewhere: an expression has up to 4 KB, so it cannot refer to more names or values. */
const MAX_PARAMETER_MEMBERS = 10_000;

/**
 * `validateRequest` for a request that was parsed in slices; yields the event loop between them.
 *
 * Each container that came in chunks is first replaced by a stand-in, which has just enough of its members to validate
 * what surrounds it. The remainder is small. It is validated once for each chunk, with the chunk in the place of its
 * container. Structures, and lists with a limited length, are validated by their stand-in alone, so it stays.
 *
 * @returns the request, complete
 * @throws as `validateRequest`, except that of several errors of one kind it may report another one, and that a
 *   position in a list may be relative to its chunk
 */
export async function validateSlices(operation: OperationName, parsed: Parsed, pause: Pause): Promise<object> {
  const { value, parts } = parsed;
  if (parts.length === 0) return validateRequest(operation, value);
  const places = placesOf(operation, parts);
  const root = places[0]!.standIn;
  let constraint: ApiError | undefined;
  const check = () => {
    try {
      validateRequest(operation, root);
    } catch (error) {
      // Serialization errors take precedence over constraint errors.
      if (!(error instanceof ApiError) || error.name === 'SerializationException') throw error;
      constraint ??= error;
    }
  };
  check();
  let excess: ApiError | undefined;
  for (const { part, standIn, isWhole, at } of places) {
    if (isWhole || at === undefined) continue;
    const extent = new Extent(part.key);
    for (const chunk of part.chunks) {
      await pause();
      setMember(at.container, at.key, chunk);
      check();
      excess ??= extent.add(chunk);
      if (excess !== undefined) break;
    }
    setMember(at.container, at.key, standIn);
  }
  if (constraint !== undefined) throw constraint;
  if (excess !== undefined) throw excess;
  const whole = await assemble(places, pause);
  // What comes next walks through all of it, for tens of milliseconds.
  await pause();
  return whole;
}

/** A lower bound for the size of one list or map, so that a container beyond all limits is refused early. */
class Extent {
  readonly #key: string | number;
  #members = 0;
  #bytes = 0;

  constructor(key: string | number) {
    this.#key = key;
  }

  /** @returns the error if it has become too large */
  add(chunk: Chunk): ApiError | undefined {
    const names = Array.isArray(chunk) ? [] : Object.keys(chunk);
    this.#members += Array.isArray(chunk) ? chunk.length : names.length;
    if (!IN_ITEMS.has(this.#key)) {
      return this.#members > MAX_PARAMETER_MEMBERS ? ApiError.validation(`${this.#key} exceeds max size`) : undefined;
    }
    // Each list element takes at least one byte, except that a set may have one empty element.
    this.#bytes += Array.isArray(chunk) ? chunk.length : names.reduce((sum, name) => sum + Buffer.byteLength(name), 0);
    return this.#bytes > MAX_ITEM_BYTES + 1 ? itemTooLarge() : undefined;
  }
}

/** The stand-in of a part, and its place. */
interface Place {
  readonly part: Part;
  readonly standIn: Chunk;
  /** The part is validated by its stand-in alone, not chunk by chunk. */
  readonly isWhole: boolean;
  /** Its place in the stand-in of the parent; undefined for the root, and where it does not count. */
  at?: { readonly container: Chunk; readonly key: string | number };
}

/** A parent comes before the parts inside it, as in `parts`. */
function placesOf(operation: OperationName, parts: readonly Part[]): readonly Place[] {
  const schemas = schemasOf(operation, parts);
  const inside = new Map<Part, Place[]>();
  const places: Place[] = [];
  for (const part of [...parts].reverse()) {
    const place = placeOf(part, schemas.get(part), inside.get(part)?.reverse() ?? []);
    // Replaces the part in its chunk, so that code that copies members of the chunk finds the stand-in.
    setMember(part.holder, part.key, place.standIn);
    places.push(place);
    if (part.parent === undefined) continue;
    const siblings = inside.get(part.parent);
    if (siblings === undefined) inside.set(part.parent, [place]);
    else siblings.push(place);
  }
  return places.reverse();
}

function schemasOf(operation: OperationName, parts: readonly Part[]): ReadonlyMap<Part, Schema | undefined> {
  const common = readSchema('common');
  const schemas = new Map<Part, Schema | undefined>();
  for (const part of parts) {
    const within = part.parent && schemas.get(part.parent);
    const own = part.parent === undefined ? readSchema(operation) : within && childSchema(within, String(part.key));
    schemas.set(part, own && resolve(own, common));
  }
  return schemas;
}

function placeOf(part: Part, schema: Schema | undefined, inside: readonly Place[]): Place {
  const isArray = Array.isArray(part.chunks[0]);
  // A part of the wrong type is refused for that; a part without a schema is ignored.
  if (schema?.type !== (isArray ? 'array' : 'object')) return { part, standIn: isArray ? [] : {}, isWhole: true };
  if (schema.properties) return structurePlace(part, Object.keys(schema.properties), inside);
  const most = schema.maxItems ?? schema.maxProperties;
  return most === undefined ? samplePlace(part, inside) : limitedPlace(part, most + 1, inside);
}

/** The stand-in of a structure: only the members in its schema. */
function structurePlace(part: Part, names: readonly string[], inside: readonly Place[]): Place {
  const standIn = {};
  for (const chunk of part.chunks) {
    for (const name of names) if (Object.hasOwn(chunk, name)) setMember(standIn, name, memberOf(chunk, name));
  }
  for (const place of inside) {
    const { key } = place.part;
    // If a name occurs twice, the later member counts.
    if (Object.hasOwn(standIn, key) && memberOf(standIn, key) === place.standIn) place.at = { container: standIn, key };
  }
  return { part, standIn, isWhole: true };
}

/** The stand-in of a list with a limit: one member above the limit is enough to be refused. */
function limitedPlace(part: Part, most: number, inside: readonly Place[]): Place {
  const standIn: Chunk = Array.isArray(part.chunks[0]) ? [] : {};
  let count = 0;
  for (const chunk of part.chunks) {
    const keys = Object.keys(chunk);
    for (const [index, key] of keys.slice(0, most - count).entries()) {
      const place = inside.find((each) => each.part.holder === chunk && String(each.part.key) === key);
      const keyIn = Array.isArray(standIn) ? count + index : key;
      setMember(standIn, keyIn, memberOf(chunk, key));
      if (place !== undefined) place.at = { container: standIn, key: keyIn };
    }
    count += keys.length;
    if (count >= most) break;
  }
  return { part, standIn, isWhole: true };
}

/** The stand-in of any other container: its first member, and the members that are parts. */
function samplePlace(part: Part, inside: readonly Place[]): Place {
  const standIn: Chunk = Array.isArray(part.chunks[0]) ? [] : {};
  const [first] = part.chunks;
  const key = firstKey(first!);
  setMember(standIn, key, memberOf(first!, key));
  for (const place of inside) {
    const keyIn = Array.isArray(standIn) ? standIn.length : place.part.key;
    setMember(standIn, keyIn, place.standIn);
    place.at = { container: standIn, key: keyIn };
  }
  return { part, standIn, isWhole: false };
}

function firstKey(chunk: Chunk): string | number {
  if (Array.isArray(chunk)) return 0;
  for (const key in chunk) return key;
  throw new Error('a chunk is empty');
}

/** Puts the parts back into their places. */
async function assemble(places: readonly Place[], pause: Pause): Promise<object> {
  // Innermost parts first, because they move with the chunk that holds them.
  for (const { part, standIn, isWhole, at } of [...places].reverse()) {
    const [first, ...others] = part.chunks;
    if (!isWhole) {
      for (const chunk of others) {
        append(first!, chunk);
        await pause();
      }
    }
    const whole = isWhole ? standIn : first!;
    setMember(part.holder, part.key, whole);
    if (at !== undefined) setMember(at.container, at.key, whole);
  }
  return places[0]!.standIn;
}
