import { NO_BALLOT } from '../dynamo/ballot.ts';
import type { Settled } from '../dynamo/derived/settled.ts';
import type { KeyDigest, RangeEntry, Reply, VoteState } from '../dynamo/messages.ts';
import type { ItemRecord, ReplicaState } from '../dynamo/record.ts';
import type { NodeId } from '../dynamo/ring.ts';
import type { Codec } from '../env/codec.ts';
import { type ByteReader, malformed } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';
import {
  ballot,
  bool,
  byteString,
  bytes,
  config,
  configValue,
  effective,
  type Field,
  list,
  maybeBool,
  object,
  optional,
  record,
  text,
  uint,
} from './field.ts';
import { messageCodec } from './message-codec.ts';
import { type Complete, fieldsOf, type KindCodec, type KindCodecs } from './union.ts';

const from = text;

/** Flags of a replica's state: which records follow, and whether the key is damaged. */
const ACCEPTED = 1;
const COMMITTED = 2;
const DAMAGED = 4;

function writeState(output: ByteWriter, { accepted, committed, isDamaged }: ReplicaState): void {
  output.byte(
    (accepted === undefined ? 0 : ACCEPTED) |
      (committed === undefined ? 0 : COMMITTED) |
      (isDamaged === true ? DAMAGED : 0),
  );
  if (accepted !== undefined) output.bytes(accepted.stored);
  if (committed !== undefined) output.bytes(committed.stored);
}

function readState(input: ByteReader): Complete<ReplicaState> {
  const flags = input.flags(ACCEPTED | COMMITTED | DAMAGED);
  const accepted = (flags & ACCEPTED) === 0 ? undefined : record.read(input);
  const committed = (flags & COMMITTED) === 0 ? undefined : record.read(input);
  return { accepted, committed, isDamaged: (flags & DAMAGED) === 0 ? undefined : true };
}

/** How much of `Settled` follows. An item without a stream has no change in a log: peers of before know no other form. */
const NOTHING = 0;
const DUE = 1;
const DUE_AND_LOGGED = 2;

const maybeSettled: Field<Settled | undefined> = {
  leastBytes: 1,
  write(output, value) {
    if (value === undefined) return output.byte(NOTHING);
    output.byte(value.logged.hlc === 0 ? DUE : DUE_AND_LOGGED);
    output.ballot(value.due);
    if (value.logged.hlc !== 0) output.ballot(value.logged);
  },
  read(input) {
    const form = input.byte();
    if (form === NOTHING) return undefined;
    if (form > DUE_AND_LOGGED) throw malformed('what is settled');
    const due = input.ballot();
    if (form === DUE) return { due, logged: NO_BALLOT };
    const logged = input.ballot();
    if (logged.hlc === 0) throw malformed('what is settled');
    return { due, logged };
  },
};

/** The codec of a reply that reports what a replica holds of a key. */
function stateReply<Kind extends 'promise' | 'state'>(number: number): KindCodec<StateReply<Kind>> {
  return {
    number,
    write(output, reply) {
      output.text(reply.from);
      writeState(output, reply);
      maybeSettled.write(output, reply.settled);
    },
    read(input, kind) {
      const from = input.text();
      const { accepted, committed, isDamaged } = readState(input);
      return { kind, from, accepted, committed, isDamaged, settled: maybeSettled.read(input) };
    },
  };
}

type StateReply<Kind> = {
  readonly kind: Kind;
  readonly from: NodeId;
  readonly settled?: Settled | undefined;
} & ReplicaState;

const rangeEntry: Field<RangeEntry> = {
  leastBytes: 2,
  write(output, entry) {
    output.byteString(entry.key);
    writeState(output, entry);
  },
  read: (input) => ({ key: input.byteString(), ...readState(input) }),
};

const keyDigest: Field<KeyDigest> = object({ key: byteString, ballot, digest: byteString });
const sealedRecord: Field<{ readonly key: string; readonly record: ItemRecord }> = object({ key: byteString, record });

/** Flags of a `learned`: whether there is a vote, and whether it is sealed. */
const VOTE = 1;
const SEALED = 2;

/** Replies to the requests that are written out by hand are written out as well. */
const REPLIES: KindCodecs<Reply> = {
  promise: stateReply<'promise'>(64),
  state: stateReply<'state'>(65),
  damaged: {
    number: 66,
    write(output, reply) {
      output.text(reply.from);
      writeState(output, reply);
    },
    read: (input) => ({ kind: 'damaged', from: input.text(), ...readState(input) }),
  },
  accepted: {
    number: 67,
    write: (output, { from }) => output.text(from),
    read: (input) => ({ kind: 'accepted', from: input.text() }),
  },
  learned: {
    number: 68,
    write(output, { from, vote, isHeld }) {
      output.text(from);
      output.byte((vote === undefined ? 0 : VOTE) | (vote?.isSealed ? SEALED : 0));
      if (vote !== undefined) output.uint(vote.epoch);
      maybeBool.write(output, isHeld);
    },
    read: (input) => ({ kind: 'learned', from: input.text(), vote: readVote(input), isHeld: maybeBool.read(input) }),
  },
  rejected: fieldsOf(69, { from, effective }),
  'rejected-drift': fieldsOf(70, { from }),
  'table-gone': fieldsOf(94, { from, table: byteString }),
  'wrong-epoch': fieldsOf(71, { from, config: optional(config) }),
  'storage-failed': fieldsOf(72, { from, message: text }),
  range: fieldsOf(73, { from, entries: list(rangeEntry), more: bool }),
  hinted: fieldsOf(74, { from }),
  'hint-refused': fieldsOf(75, { from }),
  'merkle-hashes': fieldsOf(76, { from, hashes: bytes }),
  'merkle-keys': fieldsOf(77, { from, entries: list(keyDigest), more: bool }),
  records: fieldsOf(78, { from, records: list(optional(record)), settled: list(maybeSettled) }),
  confirmed: fieldsOf(79, { from }),
  unconfirmed: fieldsOf(80, { from }),
  purged: fieldsOf(81, { from }),
  copied: fieldsOf(82, { from }),
  sealed: fieldsOf(83, { from }),
  'sealed-records': fieldsOf(84, {
    from,
    entries: list(sealedRecord),
    next: optional(byteString),
    fenced: list(byteString),
  }),
  staged: fieldsOf(85, { from }),
  failed: fieldsOf(86, { from, reason: text }),
  activated: fieldsOf(87, { from }),
  gossip: fieldsOf(88, { from, newer: list(config), wanted: list(uint) }),
  pong: fieldsOf(89, { from }),
  marked: fieldsOf(90, { from }),
  'local-range': fieldsOf(91, {
    from,
    entries: list(rangeEntry),
    unsettled: list(byteString),
    end: optional(byteString),
  }),
  'config-promise': fieldsOf(92, { from, accepted: optional(object({ ballot, value: configValue })) }),
  'config-accepted': fieldsOf(93, { from }),
};

function readVote(input: ByteReader): VoteState | undefined {
  const flags = input.flags(VOTE | SEALED);
  const isSealed = (flags & SEALED) !== 0;
  if ((flags & VOTE) !== 0) return { epoch: input.uint(), isSealed };
  if (isSealed) throw malformed('a seal without a vote');
  return undefined;
}

/** The replies of replicas. */
export const REPLY_CODEC: Codec<Reply> = messageCodec(REPLIES);
