import type { Request } from '../dynamo/messages.ts';
import type { Codec } from '../env/codec.ts';
import {
  ballot,
  byteString,
  config,
  configValue,
  keyOrder,
  list,
  listOfSome,
  maybeBool,
  optional,
  record,
  requestId,
  text,
  uint,
} from './field.ts';
import { messageCodec } from './message-codec.ts';
import { fieldsOf, type KindCodecs } from './union.ts';

const epoch = uint;
const partition = uint;

/** Kinds that every request of a client causes are written out by hand, which is faster. The others are lists of fields. */
const REQUESTS: KindCodecs<Request> = {
  prepare: {
    number: 1,
    write(output, { requestId: id, key, ballot, epoch }) {
      requestId.write(output, id);
      output.byteString(key);
      output.ballot(ballot);
      output.uint(epoch);
    },
    read: (input) => ({
      kind: 'prepare',
      requestId: requestId.read(input),
      key: input.byteString(),
      ballot: input.ballot(),
      epoch: input.uint(),
    }),
  },
  accept: {
    number: 2,
    write(output, { requestId: id, key, record, epoch }) {
      requestId.write(output, id);
      output.byteString(key);
      output.bytes(record.stored);
      output.uint(epoch);
    },
    read: (input) => ({
      kind: 'accept',
      requestId: requestId.read(input),
      key: input.byteString(),
      record: record.read(input),
      epoch: input.uint(),
    }),
  },
  learn: {
    number: 3,
    write(output, { requestId: id, key, record, isFlushed, isNeeded }) {
      requestId.write(output, id);
      output.byteString(key);
      output.bytes(record.stored);
      maybeBool.write(output, isFlushed);
      maybeBool.write(output, isNeeded);
    },
    read: (input) => ({
      kind: 'learn',
      requestId: requestId.read(input),
      key: input.byteString(),
      record: record.read(input),
      isFlushed: maybeBool.read(input),
      isNeeded: maybeBool.read(input),
    }),
  },
  read: {
    number: 4,
    write(output, { requestId: id, key, epoch }) {
      requestId.write(output, id);
      output.byteString(key);
      output.uint(epoch);
    },
    read: (input) => ({
      kind: 'read',
      requestId: requestId.read(input),
      key: input.byteString(),
      epoch: input.uint(),
    }),
  },
  'read-committed': {
    number: 5,
    write(output, { requestId: id, key }) {
      requestId.write(output, id);
      output.byteString(key);
    },
    read: (input) => ({ kind: 'read-committed', requestId: requestId.read(input), key: input.byteString() }),
  },
  'read-range': fieldsOf(6, {
    requestId,
    from: byteString,
    to: byteString,
    order: keyOrder,
    limit: uint,
    bytesLimit: uint,
    epoch: optional(epoch),
  }),
  adopt: fieldsOf(7, { key: byteString, ballot, record: optional(record), epoch }),
  hint: fieldsOf(8, { requestId, key: byteString, record, home: text }),
  'merkle-hashes': fieldsOf(9, { epoch, partition, level: uint, indexes: list(uint) }),
  'merkle-keys': fieldsOf(10, { epoch, partition, leaf: uint, after: optional(byteString), limit: uint }),
  fetch: fieldsOf(11, { epoch, keys: listOfSome(byteString) }),
  'confirm-tombstone': fieldsOf(12, { key: byteString, record, epoch }),
  purge: fieldsOf(13, { key: byteString, ballot, epoch }),
  copy: fieldsOf(14, { partition, epoch, sources: list(text) }),
  seal: fieldsOf(15, { partition, epoch }),
  'sealed-records': fieldsOf(16, { partition, epoch, after: optional(byteString), limit: uint }),
  stage: fieldsOf(17, { next: config, sources: list(text) }),
  activate: fieldsOf(18, { config }),
  gossip: fieldsOf(19, { epochs: list(epoch) }),
  ping: fieldsOf(20, {}),
  'mark-settled': fieldsOf(21, { requestId, key: byteString, due: ballot }),
  'mark-logged': fieldsOf(30, { requestId, key: byteString, logged: ballot }),
  'read-local-range': fieldsOf(22, {
    requestId,
    from: byteString,
    to: byteString,
    order: keyOrder,
    limit: uint,
    bytesLimit: uint,
    epoch: optional(epoch),
  }),
  'config-prepare': fieldsOf(23, { partition, epoch, ballot }),
  'config-accept': fieldsOf(24, { partition, epoch, ballot, value: configValue }),
};

/** The requests between nodes. */
export const REQUEST_CODEC: Codec<Request> = messageCodec(REQUESTS);
