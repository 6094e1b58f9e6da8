import type { MutationOutcome } from '../api/mutation.ts';
import type { Consistency, ReadFrom, TableCount, Writer } from '../dynamo/client.ts';
import {
  type CoordinatorEvent,
  type CoordinatorTrace,
  MOST_TRACED,
  type NotBegun,
  type RefusedAtDoor,
  type Traced,
} from '../dynamo/coordinating-node.ts';
import type { AnswerTo, CoordinationRequest } from '../dynamo/coordination-messages.ts';
import type { Carried, OperationId } from '../dynamo/registers/handed-back.ts';
import type { LoggedChange, LogPosition } from '../dynamo/stream-client.ts';
import type { Codec } from '../env/codec.ts';
import { malformed } from './byte-reader.ts';
import {
  ballot,
  bool,
  byteString,
  double,
  type Field,
  keyOrder,
  list,
  object,
  oneOf,
  optional,
  record,
  requestId,
  text,
  uint,
  uint32,
  uint48,
} from './field.ts';
import { messageCodec } from './message-codec.ts';
import { derivation, image, mutation } from './mutation-field.ts';
import { fieldsOf, type KindCodecs, union } from './union.ts';
import { MAX_PARTITION_KEY_BYTES } from './wire-limits.ts';

const consistency: Field<Consistency> = oneOf({ strict: 0, dynamo: 1 });
const readFrom: Field<ReadFrom> = oneOf({ latest: 0, committed: 1, laggard: 2 });
const maybeImage = optional(image);

const mutationOutcome: Field<MutationOutcome> = union<MutationOutcome>({
  applied: fieldsOf(1, { next: maybeImage, old: maybeImage }),
  'condition-failed': fieldsOf(2, { current: maybeImage }),
  refused: fieldsOf(3, { message: text }),
  'collection-full': fieldsOf(4, {}),
  conflict: fieldsOf(5, {}),
});

const operationId: Field<OperationId> = object({ coordinator: uint48, boot: uint32, sequence: uint48 });

/** By the time of their ballots, in the order in which the attempts were made. */
const attempts: Field<ReadonlyMap<number, MutationOutcome>> = {
  leastBytes: 1,
  write(output, value) {
    output.uint(value.size);
    for (const [hlc, outcome] of value) {
      output.double(hlc);
      mutationOutcome.write(output, outcome);
    }
  },
  read(input) {
    const value = new Map<number, MutationOutcome>();
    const count = input.count(9);
    for (let left = count; left > 0; left--) value.set(input.time(), mutationOutcome.read(input));
    if (value.size !== count) throw malformed('an attempt twice');
    return value;
  },
};

const carried: Field<Carried> = union<Carried>({
  round: fieldsOf(1, { operation: operationId, attempts }),
  record: fieldsOf(2, { record }),
});
const maybeCarried = optional(carried);
const maybeDerivation = optional(derivation);
const maybeWriter = optional(oneOf<Writer>({ ttl: 0 }));

const budgetMs = optional(uint);

const itemCount = { items: uint, bytes: uint };
const tableCount: Field<TableCount> = object({ ...itemCount, local: list(object(itemCount)) });

const position: Field<LogPosition> = object({ cell: uint, offset: uint });
const loggedChange: Field<LoggedChange> = object({
  position,
  atMs: uint,
  event: oneOf({ INSERT: 0, MODIFY: 1, REMOVE: 2 }),
  by: maybeWriter,
  key: image,
  old: maybeImage,
  next: maybeImage,
});

const REQUESTS: KindCodecs<CoordinationRequest> = {
  'coordinate-write': {
    number: 128,
    write(output, request) {
      requestId.write(output, request.requestId);
      output.byteString(request.key);
      output.byteString(request.partitionKey);
      mutation.write(output, request.mutation);
      consistency.write(output, request.consistency);
      bool.write(output, request.wantsOld);
      maybeDerivation.write(output, request.derivation);
      maybeWriter.write(output, request.by);
      maybeCarried.write(output, request.carried);
      budgetMs.write(output, request.budgetMs);
    },
    read: (input) => ({
      kind: 'coordinate-write',
      requestId: requestId.read(input),
      key: input.byteString(),
      partitionKey: input.byteString(MAX_PARTITION_KEY_BYTES),
      mutation: mutation.read(input),
      consistency: consistency.read(input),
      wantsOld: bool.read(input),
      derivation: maybeDerivation.read(input),
      by: maybeWriter.read(input),
      carried: maybeCarried.read(input),
      budgetMs: budgetMs.read(input),
    }),
  },
  'coordinate-read': {
    number: 129,
    write(output, request) {
      requestId.write(output, request.requestId);
      output.byteString(request.key);
      readFrom.write(output, request.from);
      consistency.write(output, request.consistency);
      maybeDerivation.write(output, request.derivation);
      budgetMs.write(output, request.budgetMs);
    },
    read: (input) => ({
      kind: 'coordinate-read',
      requestId: requestId.read(input),
      key: input.byteString(),
      from: readFrom.read(input),
      consistency: consistency.read(input),
      derivation: maybeDerivation.read(input),
      budgetMs: budgetMs.read(input),
    }),
  },
  'coordinate-range': fieldsOf(130, {
    requestId,
    range: object({ from: byteString, to: byteString }),
    localIndex: optional(uint),
    order: keyOrder,
    limit: uint,
    from: readFrom,
    consistency,
    derivation: maybeDerivation,
    budgetMs,
  }),
  'coordinate-look': fieldsOf(144, { requestId, key: byteString, derivation: maybeDerivation, budgetMs }),
  'collection-size': fieldsOf(136, { requestId, key: byteString, budgetMs }),
  'use-derivation': fieldsOf(133, { derivation }),
  'due-of': fieldsOf(134, { table: byteString, ageMs: uint }),
  'tables-in': fieldsOf(131, { partition: uint }),
  'fence-tables': fieldsOf(141, { tables: list(byteString) }),
  'forget-table': fieldsOf(132, { table: byteString }),
  'count-items': fieldsOf(140, { tables: list(byteString), partitions: list(uint) }),
  'read-log': fieldsOf(150, { requestId, key: byteString, budgetMs, offset: uint, limit: uint }),
  'log-ends': fieldsOf(151, { requestId, key: byteString, budgetMs }),
  'end-log': fieldsOf(152, { requestId, key: byteString, budgetMs }),
  'trim-log': fieldsOf(153, { requestId, key: byteString, budgetMs, beforeMs: double }),
  'drain-log': fieldsOf(154, { key: byteString }),
};

/** The requests of a client of the ring to the node that coordinates. */
export const COORDINATION_REQUEST_CODEC: Codec<CoordinationRequest> = messageCodec(REQUESTS);

/** `not-sent` is what the asker finds out by itself. */
type Sent = AnswerTo<CoordinationRequest> | (NotBegun & { readonly reason: RefusedAtDoor });

const refusedAtDoor: Field<RefusedAtDoor> = oneOf({ leaving: 0, overloaded: 1 });

const ANSWERS: KindCodecs<Sent> = {
  'not-begun': fieldsOf(178, { reason: refusedAtDoor }),
  applied: {
    number: 160,
    write(output, { next, old }) {
      maybeImage.write(output, next);
      maybeImage.write(output, old);
    },
    read: (input) => ({ kind: 'applied', next: maybeImage.read(input), old: maybeImage.read(input) }),
  },
  'condition-failed': fieldsOf(161, { current: maybeImage }),
  refused: fieldsOf(162, { message: text }),
  unavailable: fieldsOf(163, { needed: uint, got: uint }),
  unknown: fieldsOf(164, {}),
  overloaded: fieldsOf(165, {}),
  'storage-failed': fieldsOf(166, { message: text }),
  'handed-back': fieldsOf(167, { carried }),
  found: {
    number: 168,
    write: (output, { item }) => image.write(output, item),
    read: (input) => ({ kind: 'found', item: image.read(input) }),
  },
  none: fieldsOf(169, {}),
  items: fieldsOf(170, { items: list(image), more: bool }),
  tables: fieldsOf(171, { tables: list(byteString) }),
  forgetting: fieldsOf(172, {}),
  fenced: fieldsOf(181, { votes: list(object({ partition: uint, epoch: uint })) }),
  'table-gone': fieldsOf(182, { table: byteString }),
  counts: fieldsOf(180, { counts: list(tableCount) }),
  'index-behind': fieldsOf(173, { index: byteString }),
  'collection-full': fieldsOf(176, {}),
  size: fieldsOf(177, { bytes: uint }),
  conflict: fieldsOf(184, {}),
  looked: fieldsOf(185, { item: maybeImage, version: text, isHeld: bool }),
  used: fieldsOf(174, {}),
  changes: fieldsOf(190, { changes: list(loggedChange), next: position, isEnded: bool }),
  trimmed: fieldsOf(191, { lowest: position }),
  'log-ends': fieldsOf(192, { lowest: position, next: position, isEnded: bool }),
  'log-ended': fieldsOf(193, {}),
  'cells-trimmed': fieldsOf(194, { cells: uint, isDone: bool }),
  drained: fieldsOf(195, {}),
  due: fieldsOf(175, { items: uint }),
};

const event: Field<CoordinatorEvent> = object({
  atMs: double,
  what: oneOf({ asked: 0, answered: 1, hint: 2, 'read-repair': 3, fault: 4 }),
  node: optional(text),
  detail: text,
  ballot: optional(ballot),
});
const events = list(event);
const trace: Field<CoordinatorTrace> = object<CoordinatorTrace>({
  ms: double,
  events: {
    ...events,
    write: (output, value) => events.write(output, [...value]),
    read(input) {
      const value = events.read(input);
      if (value.length > MOST_TRACED) throw malformed('a trace of so many events');
      return value;
    },
  },
});
const plainAnswer: Field<Sent> = union(ANSWERS);

/** Only a request that names itself is answered so: an asker of an earlier release sends none. */
const TRACED = fieldsOf<Traced>(183, { trace, answer: plainAnswer as Field<Traced['answer']> });

const ANSWER_CODEC: Codec<Sent | Traced> = messageCodec<Sent | Traced>({ ...ANSWERS, traced: TRACED } as KindCodecs<
  Sent | Traced
>);

const FAILURES = ['unavailable', 'unknown', 'overloaded', 'index-behind', 'storage-failed', 'table-gone'] as const;

/** The kinds of answer that each kind of request may get, beside that it was not begun. */
const ANSWERS_TO: { readonly [R in CoordinationRequest as R['kind']]: ReadonlySet<AnswerTo<R>['kind']> } = {
  'coordinate-write': new Set([
    'applied',
    'condition-failed',
    'refused',
    'collection-full',
    'conflict',
    'handed-back',
    ...FAILURES,
  ] as const),
  'coordinate-read': new Set(['found', 'none', ...FAILURES] as const),
  'coordinate-look': new Set(['looked', ...FAILURES] as const),
  'coordinate-range': new Set(['items', ...FAILURES] as const),
  'use-derivation': new Set(['used', ...FAILURES] as const),
  'due-of': new Set(['due', ...FAILURES] as const),
  'collection-size': new Set(['size', ...FAILURES] as const),
  'tables-in': new Set(['tables', ...FAILURES] as const),
  'fence-tables': new Set(['fenced', ...FAILURES] as const),
  'forget-table': new Set(['forgetting', ...FAILURES] as const),
  'count-items': new Set(['counts', ...FAILURES] as const),
  'read-log': new Set(['changes', 'trimmed', ...FAILURES] as const),
  'log-ends': new Set(['log-ends', ...FAILURES] as const),
  'end-log': new Set(['log-ended', ...FAILURES] as const),
  'trim-log': new Set(['cells-trimmed', ...FAILURES] as const),
  'drain-log': new Set(['drained', ...FAILURES] as const),
};

/** The answers to requests of one kind. Decoding refuses an answer that such a request cannot get. */
export function answerCodec<R extends CoordinationRequest>(kind: R['kind']): Codec<AnswerTo<R> | NotBegun | Traced> {
  const kinds: ReadonlySet<Sent['kind']> = ANSWERS_TO[kind];
  return {
    encode: (answer) => ANSWER_CODEC.encode(answer as Sent | Traced),
    decode(bytes) {
      const answer = ANSWER_CODEC.decode(bytes);
      const plain = answer.kind === 'traced' ? (answer.answer as Sent) : answer;
      if (plain.kind !== 'not-begun' && !kinds.has(plain.kind)) {
        throw malformed(`${plain.kind} as an answer to ${kind}`);
      }
      return answer as AnswerTo<R> | NotBegun | Traced;
    },
  };
}
