// Measures what messages between nodes cost as bytes: size, and CPU time to encode and to decode one, for the kinds
// that requests of clients cause. Each figure is the minimum of several rounds, which alternate between the kinds.
// Run: npm run bench:codec
import { ItemRecord } from '../dist/dynamo/record.js';
import { answerCodec, COORDINATION_REQUEST_CODEC } from '../dist/wire/coordination-codec.js';
import { REPLY_CODEC } from '../dist/wire/reply-codec.js';
import { REQUEST_CODEC } from '../dist/wire/request-codec.js';
import { makeItem } from './items.mjs';

const ROUNDS = 100;
const ROUND_MS = 2;
const ITEM_BYTES = 400;

const json = Buffer.from(JSON.stringify(makeItem(ITEM_BYTES, 1)));
const item = { size: ITEM_BYTES, json };
const ballot = { hlc: 1_790_000_000_000 * 1024, coordinator: 2 ** 47 + 12345, boot: 7 };
const partitionKey = 'item-0000001';
const key = `\x00\x2atable-01${'\x9c'.repeat(16)}`;
const lineage = [{ coordinator: ballot.coordinator, boot: 7, sequence: 123_456, hlc: ballot.hlc }];
const record = new ItemRecord({ ballot, item, partitionKey, lineage });
const tombstone = new ItemRecord({ ballot, item: undefined, partitionKey, lineage });
const from = 'node-1';
const epoch = 3;
const requestId = 'b0b1c2d3-e4f5-4a6b-8c7d-9e0f1a2b3c4d';
const mutation = { kind: 'put', item };
const update = {
  kind: 'update',
  update: {
    origin: 'expression',
    actions: [
      {
        kind: 'set',
        path: ['count'],
        value: { kind: 'plus', left: { kind: 'path', path: ['count'] }, right: { kind: 'value', value: { N: '1' } } },
      },
    ],
  },
  condition: { kind: 'exists', path: ['pk'] },
  key: { pk: { S: partitionKey } },
  table: { key: { partition: { name: 'pk', type: 'S' } }, indexes: [] },
};
const coordinateWrite = {
  kind: 'coordinate-write',
  requestId,
  key,
  partitionKey,
  consistency: 'strict',
  wantsOld: false,
};
const write = answerCodec('coordinate-write');
const read = answerCodec('coordinate-read');

const CASES = [
  ['prepare', REQUEST_CODEC, { kind: 'prepare', requestId: undefined, key, ballot, epoch }],
  ['promise, nothing held', REPLY_CODEC, { kind: 'promise', from }],
  ['promise, committed', REPLY_CODEC, { kind: 'promise', from, committed: record }],
  ['accept', REQUEST_CODEC, { kind: 'accept', requestId: undefined, key, record, epoch }],
  ['accept, a tombstone', REQUEST_CODEC, { kind: 'accept', requestId: undefined, key, record: tombstone, epoch }],
  ['accepted', REPLY_CODEC, { kind: 'accepted', from }],
  ['learn', REQUEST_CODEC, { kind: 'learn', requestId: undefined, key, record }],
  ['learned', REPLY_CODEC, { kind: 'learned', from, vote: { epoch, isSealed: false } }],
  ['read', REQUEST_CODEC, { kind: 'read', requestId: undefined, key, epoch }],
  ['read-committed', REQUEST_CODEC, { kind: 'read-committed', requestId: undefined, key }],
  ['state, committed', REPLY_CODEC, { kind: 'state', from, committed: record }],
  ['rejected', REPLY_CODEC, { kind: 'rejected', from, effective: ballot }],
  ['coordinate-write, a put', COORDINATION_REQUEST_CODEC, { ...coordinateWrite, mutation }],
  ['coordinate-write, an update', COORDINATION_REQUEST_CODEC, { ...coordinateWrite, mutation: update }],
  ['applied', write, { kind: 'applied', next: undefined, old: undefined }],
  [
    'coordinate-read',
    COORDINATION_REQUEST_CODEC,
    { kind: 'coordinate-read', requestId, key, from: 'latest', consistency: 'strict' },
  ],
  ['found', read, { kind: 'found', item }],
];

/** Nanoseconds for one call. */
function time(run) {
  let calls = 0;
  const begin = process.hrtime.bigint();
  const end = begin + BigInt(ROUND_MS * 1e6);
  let now = begin;
  while (now < end) {
    for (let i = 0; i < 50; i++) run();
    calls += 50;
    now = process.hrtime.bigint();
  }
  return Number(now - begin) / calls;
}

const measured = CASES.map(([name, codec, message]) => {
  const bytes = codec.encode(message);
  return { name, codec, message, bytes, encodeNs: Number.POSITIVE_INFINITY, decodeNs: Number.POSITIVE_INFINITY };
});
for (let round = 0; round < ROUNDS; round++) {
  for (const each of measured) {
    each.encodeNs = Math.min(
      each.encodeNs,
      time(() => each.codec.encode(each.message)),
    );
    each.decodeNs = Math.min(
      each.decodeNs,
      time(() => each.codec.decode(each.bytes)),
    );
  }
}
console.log(`Node ${process.version}, an item of ${ITEM_BYTES} B as ${json.length} B of JSON\n`);
console.log('| message                     | bytes | encode ns | decode ns |');
console.log('| --------------------------- | ----: | --------: | --------: |');
for (const { name, bytes, encodeNs, decodeNs } of measured) {
  const figures = [
    [bytes.length, 5],
    [encodeNs, 9],
    [decodeNs, 9],
  ].map(([n, width]) => n.toFixed(0).padStart(width));
  console.log(`| ${name.padEnd(27)} | ${figures.join(' | ')} |`);
}
