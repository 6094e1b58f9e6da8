import type { Store, StoreKey } from '../env/store.ts';
import type { Receive } from '../env/transport.ts';
import { NO_BALLOT } from './ballot.ts';
import type { Settled } from './derived/settled.ts';
import { partitionOf, tableOf } from './keyspace.ts';
import type { HintRequest, MerkleRequest, Reply, Request } from './messages.ts';
import type { NodeParts } from './node-parts.ts';
import { highestCommitted } from './record.ts';
import type { NodeId } from './ring.ts';

type Of<Kind extends Request['kind']> = Extract<Request, { kind: Kind }>;
type Answer = (reply: Reply) => void;
type VotingRequest = Of<'prepare' | 'accept' | 'read' | 'read-committed' | 'read-range' | 'read-local-range'>;
/** Which part of a node answers each kind of request. */
type Served = { readonly [Kind in Request['kind']]: (request: Of<Kind>, answer: Answer, from: NodeId) => void };

/** A node's door for other nodes. @param store of the node */
export function openDoor(self: NodeId, parts: NodeParts, store: Store): Receive<Request, Reply> {
  const { acceptor, configAcceptor, detector, epochStaging, epochSwitch, gate, gossip } = parts;
  const { purgeMember, restore, view, fences } = parts;
  /** A deleted table has no say: none of its records is promised, accepted or told. */
  const vote = (request: VotingRequest, answer: Answer) => {
    if (!fences.isEmpty) {
      const table = tableOf('from' in request ? request.from : request.key);
      if (fences.has(table)) return answer({ kind: 'table-gone', from: self, table });
    }
    acceptor.receive(request, answer);
  };
  const served: Served = {
    prepare: vote,
    accept: vote,
    learn: (request, answer) => learn(self, parts, request, answer),
    adopt: (request, answer, from) => {
      if (from === self && restore.isRunning(request.key, request.ballot)) acceptor.receive(request, answer);
    },
    read: vote,
    'read-committed': (request, answer) => vote(request, (state) => answer(withHints(parts, request.key, state))),
    'read-range': vote,
    'read-local-range': vote,
    'confirm-tombstone': (request, answer) => purgeMember.receive(request, answer),
    purge: (request, answer) => purgeMember.receive(request, answer),
    hint: (request, answer) => keepHint(self, { parts, store }, request, answer),
    'merkle-hashes': (request, answer) => compare(self, parts, request, answer),
    'merkle-keys': (request, answer) => compare(self, parts, request, answer),
    fetch: (request, answer) => compare(self, parts, request, answer),
    copy: (request, answer) => epochStaging.receive(request, answer),
    stage: (request, answer) => {
      // Records that are held back here may have been deleted and purged while this node was no member.
      gate.forgetPartition(request.next.partition);
      epochStaging.receive(request, answer);
    },
    seal: (request, answer) => epochSwitch.receive(request, answer),
    'sealed-records': (request, answer) => epochSwitch.receive(request, answer),
    activate: (request, answer) => {
      view.learnConfig(request.config);
      epochSwitch.receive(request, answer);
    },
    'config-prepare': (request, answer) => configAcceptor.receive(request, answer),
    'config-accept': (request, answer) => configAcceptor.receive(request, answer),
    gossip: (request, answer) => gossip.receive(request, answer),
    'mark-settled': ({ key, due }, answer) => {
      if (acceptor.isStopped) return;
      noteSettled(parts, key, { due, logged: NO_BALLOT });
      answer({ kind: 'marked', from: self });
    },
    'mark-logged': ({ key, logged }, answer) => {
      if (acceptor.isStopped) return;
      noteSettled(parts, key, { due: NO_BALLOT, logged });
      answer({ kind: 'marked', from: self });
    },
    ping: (_request, answer) => answer({ kind: 'pong', from: self }),
  };
  return (from, request, answer) => {
    detector.noteHeard(from);
    (served[request.kind] as (request: Request, answer: Answer, from: NodeId) => void)(request, answer, from);
  };
}

function noteSettled({ acceptor, propagationHold }: NodeParts, key: StoreKey, settled: Settled): void {
  acceptor.rows.outbox.settled(key, settled);
  propagationHold.noteSettled(key, settled);
}

function learn(self: NodeId, { acceptor, ballots, gate }: NodeParts, request: Of<'learn'>, answer: Answer): void {
  const { key, record, isNeeded } = request;
  ballots.follow(record);
  // A write, or a change of epoch, waits for this copy.
  if (isNeeded === true) gate.release(key);
  else if (gate.hold(key, record)) return answer({ kind: 'learned', from: self, vote: undefined, isHeld: true });
  acceptor.receive(request, answer);
}

function keepHint(
  self: NodeId,
  { parts, store }: { readonly parts: NodeParts; readonly store: Store },
  { requestId, home, key, record }: HintRequest,
  answer: Answer,
): void {
  if (!parts.hints.keep(home, { requestId, key, record })) return answer({ kind: 'hint-refused', from: self });
  store.flush((error) => {
    if (error === undefined) answer({ kind: 'hinted', from: self });
    else answer({ kind: 'storage-failed', from: self, message: error.message });
  });
}

/**
 * Only a member of the same epoch is compared with: another may have records that were deleted and purged meanwhile.
 */
function compare(self: NodeId, { forest, votes }: NodeParts, request: MerkleRequest, answer: Answer): void {
  const partition = request.kind === 'fetch' ? partitionOf(request.keys[0]!) : request.partition;
  const config = votes.votingConfig(partition);
  if (config?.epoch !== request.epoch) return answer({ kind: 'wrong-epoch', from: self, config });
  forest.receive(request, self, answer);
}

/** A substitute answers with the records that it keeps for others. */
function withHints({ hints }: NodeParts, key: string, reply: Reply): Reply {
  if (hints.count === 0 || reply.kind !== 'state') return reply;
  const committed = highestCommitted([reply, { committed: hints.committed(key) }]);
  return { ...reply, committed };
}
