import fc from 'fast-check';
import type { Change } from '../../src/dynamo/derived/changes.ts';
import type { Derived } from '../../src/dynamo/derived/derived-section.ts';

const hlc = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const ballot = fc.record({
  hlc,
  coordinator: fc.integer({ min: 0, max: 2 ** 48 - 1 }),
  boot: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
});
const bytes = (minLength: number) =>
  fc.uint8Array({ minLength, maxLength: 60 }).map((array) => Buffer.from(array).toString('latin1'));
/** As long as a store key is at least. */
const storeKey = bytes(26);

const image = fc.record({
  size: fc.nat(409_600),
  json: fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array)),
});
const maybeImage = fc.option(image, { nil: undefined });
/** A change of an item, as its record carries it. */
export const arbitraryChange: fc.Arbitrary<Change> = fc.record({
  stream: bytes(8).map((id) => id.slice(0, 8)),
  shards: fc.integer({ min: 1, max: 65_535 }),
  ballot,
  event: fc.constantFrom('INSERT', 'MODIFY', 'REMOVE' as const),
  by: fc.constantFrom('ttl' as const, undefined),
  key: image,
  old: maybeImage,
  next: maybeImage,
});

/** What a record carries that was made for a table with indexes. */
export const arbitraryDerived: fc.Arbitrary<Derived> = fc.record({
  version: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
  valueBallot: ballot,
  due: ballot,
  owed: fc.array(storeKey, { maxLength: 3 }),
  entries: fc.array(storeKey, { maxLength: 3 }),
  local: fc.array(fc.option(bytes(0), { nil: undefined }), { maxLength: 3 }),
  localBytes: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  changes: fc.option(fc.array(arbitraryChange, { minLength: 1, maxLength: 3 }), { nil: undefined }),
});
