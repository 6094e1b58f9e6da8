import { type Ballot, compareBallots, NO_BALLOT } from '../../src/dynamo/ballot.ts';
import { partitionPrefix, partitionRange } from '../../src/dynamo/keyspace.ts';
import type { AcceptedConfig, Reply, Request, VoteState } from '../../src/dynamo/messages.ts';
import { ItemRecord, isTombstone } from '../../src/dynamo/record.ts';
import { MemoryStore } from '../../src/env/memory-store.ts';
import type { Store, StoreName } from '../../src/env/store.ts';
import type { Receive } from '../../src/env/transport.ts';
import { fieldsOf } from '../dynamo/record-fields.ts';
import type { Tampering } from './simulated-network.ts';

type ReplicaReceive = Receive<Request, Reply>;

/** Of a replica that says that it has taken a record. */
const UNSEALED: VoteState = { epoch: 0, isSealed: false };

/** Prepares are answered as if they were reads: nothing is remembered. */
export function promisingNothing(receive: ReplicaReceive): ReplicaReceive {
  return (from, request, reply) => {
    if (request.kind !== 'prepare') return receive(from, request, reply);
    const { key, epoch } = request;
    receive(from, { kind: 'read', key, epoch }, (state) => {
      reply(state.kind === 'state' ? { ...state, kind: 'promise' } : state);
    });
  };
}

/** Says that it is sealed and what it has accepted by then, and goes on. */
export function sealingNothing(receive: ReplicaReceive): ReplicaReceive {
  return (from, request, reply) => {
    if (request.kind === 'seal') {
      return receive(from, { kind: 'ping' }, ({ from: self }) => reply({ kind: 'sealed', from: self }));
    }
    if (request.kind !== 'sealed-records') return receive(from, request, reply);
    const range = {
      kind: 'read-range',
      ...partitionRange(request.partition),
      order: 'forward',
      limit: 100,
      bytesLimit: 1_000_000,
      epoch: request.epoch,
    } as const;
    receive(from, range, (answer) => {
      if (answer.kind !== 'range') return reply(answer);
      const entries = answer.entries.flatMap(({ key, accepted }) => (accepted ? [{ key, record: accepted }] : []));
      reply({ kind: 'sealed-records', from: answer.from, entries, next: undefined, fenced: [] });
    });
  };
}

/** Says that it has staged, and has not. */
export function stagingNothing(receive: ReplicaReceive): ReplicaReceive {
  return (from, request, reply) => {
    if (request.kind !== 'stage') return receive(from, request, reply);
    receive(from, { kind: 'ping' }, ({ from: self }) => reply({ kind: 'staged', from: self }));
  };
}

/** Does not say that it was sealed when it took a record. */
export function hidingSeal(receive: ReplicaReceive): ReplicaReceive {
  return (from, request, reply) => {
    receive(from, request, (answer) => {
      if (answer.kind !== 'learned' || answer.vote === undefined) return reply(answer);
      reply({ ...answer, vote: { ...answer.vote, isSealed: false } });
    });
  };
}

/** Draws its chance from nowhere. */
export function sometimesDeaf(receive: ReplicaReceive): ReplicaReceive {
  return (from, request, reply) => {
    if (Math.random() < 0.5) receive(from, request, reply);
  };
}

/** Says that it keeps what it is given for others, and does not. */
export function keepingNoHints(receive: ReplicaReceive): ReplicaReceive {
  return (from, request, reply) => {
    if (request.kind !== 'hint') return receive(from, request, reply);
    receive(from, { kind: 'ping' }, ({ from: self }) => reply({ kind: 'hinted', from: self }));
  };
}

/** Is a home replica and nothing else. */
export function withoutAnswerToHints(receive: ReplicaReceive): ReplicaReceive {
  return (from, request, reply) => {
    if (request.kind !== 'hint') receive(from, request, reply);
  };
}

/** Takes every request for one of the epoch that it is in itself. */
export function ignoringEpochs(receive: ReplicaReceive): ReplicaReceive {
  return (from, request, reply) => {
    if (request.kind !== 'prepare' && request.kind !== 'accept') return receive(from, request, reply);
    receive(from, request, (answer) => {
      const { epoch } = (answer.kind === 'wrong-epoch' && answer.config) || request;
      if (epoch === request.epoch) return reply(answer);
      receive(from, { ...request, epoch }, reply);
    });
  };
}

export function learningNothing(receive: ReplicaReceive): ReplicaReceive {
  return (from, request, reply) => {
    if (request.kind !== 'learn') return receive(from, request, reply);
    receive(from, { kind: 'read-committed', key: request.key }, (state) => {
      reply({ kind: 'learned', from: state.from, vote: UNSEALED });
    });
  };
}

export function learningOnce(receive: ReplicaReceive, store: Store): ReplicaReceive {
  return (from, request, reply) => {
    const isFirst = request.kind !== 'learn' || store.get('items', request.key) === undefined;
    if (isFirst) return receive(from, request, reply);
    learningNothing(receive)(from, request, reply);
  };
}

export function learningWhateverComes(receive: ReplicaReceive, store: Store): ReplicaReceive {
  return (from, request, reply) => {
    receive(from, request, reply);
    if (request.kind === 'learn') store.put('items', request.key, request.record.stored);
  };
}

export function droppingAccepted(receive: ReplicaReceive, store: Store): ReplicaReceive {
  return (from, request, reply) => {
    receive(from, request, reply);
    if (request.kind === 'learn') store.remove('paxos', request.key);
  };
}

/** A ceiling that is lower than the last one is taken down to nothing. */
export function withCeilingTakenDown(store: Store): Store {
  let last = 0;
  return overlay(store, {
    put(name, key, value) {
      const isCeiling = name === 'meta' && key === 'ceiling';
      const hlc = isCeiling ? Number(Buffer.from(value).toString()) : 0;
      store.put(name, key, isCeiling && hlc < last ? Buffer.from('0') : value);
      if (isCeiling) last = hlc;
    },
  });
}

/** A flush for which nothing but the ceiling waits is not done at all. */
export function withoutCeilingFlush(store: Store): Store {
  let waiting = 0;
  let ceilings = 0;
  return overlay(store, {
    put(name, key, value) {
      waiting++;
      if (name === 'meta' && key === 'ceiling') ceilings++;
      store.put(name, key, value);
    },
    remove(name, key) {
      waiting++;
      store.remove(name, key);
    },
    flush(done) {
      if (waiting > 0 && waiting === ceilings) {
        waiting = 0;
        ceilings = 0;
        done();
        return;
      }
      waiting = 0;
      ceilings = 0;
      store.flush(done);
    },
  });
}

export function countHeld(reply: Reply): Reply {
  return reply.kind === 'learned' && reply.isHeld === true ? { ...reply, vote: UNSEALED } : reply;
}

export function hidePromised(reply: Reply): Reply {
  return reply.kind === 'rejected' ? { ...reply, effective: NO_BALLOT } : reply;
}

export function hideHashes(reply: Reply): Reply {
  return reply.kind === 'merkle-hashes' ? { kind: 'pong', from: reply.from } : reply;
}

export function hideGossip(reply: Reply): Reply {
  return reply.kind === 'gossip' ? { kind: 'pong', from: reply.from } : reply;
}

/** Tells of the last attempt that was begun, and hides what may be decided. */
export function hideDecided(reply: Reply): Reply {
  if (reply.kind !== 'config-promise' || reply.accepted === undefined) return reply;
  const { ballot, value } = reply.accepted;
  return { ...reply, accepted: { ballot, value: { begun: value.begun } } };
}

/** Ballots of config registers do not say whose they are. */
export function withoutDisks(request: Request): Request {
  if (request.kind !== 'config-prepare' && request.kind !== 'config-accept') return request;
  return { ...request, ballot: { ...request.ballot, coordinator: 0, boot: 0 } };
}

/** A ballot that was promised is promised again to whoever asks. */
export function promisingConfigsAgain(receive: ReplicaReceive, store: Store): ReplicaReceive {
  return (from, request, reply) => {
    receive(from, request, (answer) => {
      if (request.kind !== 'config-prepare' || answer.kind !== 'rejected') return reply(answer);
      if (compareBallots(answer.effective, request.ballot) !== 0) return reply(answer);
      const row = configRowOf(store, request.partition);
      const isAcceptedBelow = row.accepted === undefined || compareBallots(row.accepted.ballot, request.ballot) < 0;
      reply(isAcceptedBelow ? { kind: 'config-promise', from: answer.from, accepted: row.accepted } : answer);
    });
  };
}

/** Takes what it accepts for decided. */
export function actingOnOwnAccept(receive: ReplicaReceive): ReplicaReceive {
  return (from, request, reply) => {
    receive(from, request, (answer) => {
      reply(answer);
      if (request.kind !== 'config-accept' || answer.kind !== 'config-accepted') return;
      const { decided } = request.value;
      if (decided !== undefined) receive(from, { kind: 'activate', config: decided }, () => {});
    });
  };
}

interface ConfigRow {
  readonly promised: Ballot;
  readonly accepted?: AcceptedConfig;
}

function configRowOf(store: Store, partition: number): ConfigRow {
  return JSON.parse(Buffer.from(store.get('meta', `config/${partitionPrefix(partition)}`)!).toString()) as ConfigRow;
}

export function hideMore(reply: Reply): Reply {
  return reply.kind === 'range' ? { ...reply, more: false } : reply;
}

/** Names the keys of a range that have a committed record, with what is accepted of them too. */
export function hideUncommitted(reply: Reply): Reply {
  if (reply.kind !== 'range') return reply;
  return { ...reply, entries: reply.entries.filter(({ committed }) => committed !== undefined) };
}

/** Tells what is committed of the keys of a range, as an eventually consistent reader is told. */
export function hideAccepted(reply: Reply): Reply {
  if (reply.kind !== 'range') return reply;
  return { ...reply, entries: reply.entries.map((entry) => ({ ...entry, accepted: undefined })) };
}

/** Answers a page that is read backward with what is at the beginning of the range, in the order that was asked for. */
export function pagingFromTheLowerBound(receive: ReplicaReceive): ReplicaReceive {
  return (from, request, reply) => {
    if (request.kind !== 'read-range' || request.order === 'forward') return receive(from, request, reply);
    receive(from, { ...request, order: 'forward' }, (answer) => {
      reply(answer.kind === 'range' ? { ...answer, entries: answer.entries.toReversed() } : answer);
    });
  };
}

/** Takes an inclusive upper bound for an exclusive one: the half-open form of it is the key and a zero. */
export function lowerUpperBound(request: Request): Request {
  if (request.kind !== 'read-range' || !request.to.endsWith('\0')) return request;
  return { ...request, to: request.to.slice(0, -1) };
}

/** Keeps of a record's lineage what its own ballot put there. */
export function cutLineage(request: Request): Request {
  if (request.kind !== 'accept' && request.kind !== 'learn') return request;
  const { record } = request;
  return { ...request, record: new ItemRecord({ ...fieldsOf(record), lineage: record.lineage.slice(-1) }) };
}

export function withDoubledAnswersCounted(): Tampering {
  let deliveries = 0;
  return { reply: (reply) => (reply.kind === 'learned' ? reply : { ...reply, from: `${reply.from}${++deliveries}` }) };
}

/** A committed tombstone removes what was there and leaves nothing. */
export function withoutTombstones(store: Store): Store {
  return overlay(store, {
    put(name, key, value) {
      if (name === 'items' && isTombstone(value)) store.remove(name, key);
      else store.put(name, key, value);
    },
  });
}

/** What is still owed to indexes is remembered until the process ends. */
export function withOutboxInMemory(store: Store): Store {
  const rows = new MemoryStore();
  const storeOf = (name: StoreName) => (name === 'outbox' ? rows : store);
  return overlay(store, {
    get: (name, key) => storeOf(name).get(name, key),
    put: (name, key, value) => storeOf(name).put(name, key, value),
    remove: (name, key) => storeOf(name).remove(name, key),
    range: (name, query) => storeOf(name).range(name, query),
  });
}

export function hideState(reply: Reply): Reply {
  return reply.kind === 'promise' ? { kind: 'promise', from: reply.from } : reply;
}

/** A store that does some things in another way. */
export function overlay(store: Store, changed: Partial<Store>): Store {
  return {
    get: (name, key) => store.get(name, key),
    put: (name, key, value) => store.put(name, key, value),
    remove: (name, key) => store.remove(name, key),
    range: (name, query) => store.range(name, query),
    flush: (done) => store.flush(done),
    giveUp: (reason) => store.giveUp(reason),
    close: () => store.close(),
    get onLost() {
      return store.onLost;
    },
    set onLost(lost) {
      store.onLost = lost;
    },
    ...changed,
  };
}
