import { type Ballot, compareBallots, NO_BALLOT, sameBallot } from '../../src/dynamo/ballot.ts';
import type { Reply, Request } from '../../src/dynamo/messages.ts';
import { type ReplicaState, topOf } from '../../src/dynamo/record.ts';
import type { NodeId } from '../../src/dynamo/ring.ts';
import type { StoreKey } from '../../src/env/store.ts';
import { showBallot } from './trace.ts';

/** What one replica has said about one key, in all its incarnations. */
interface Said {
  readonly replica: NodeId;
  readonly epoch: number | undefined;
  /** Promised ballots, each with the newest ballot that the promise reported. */
  readonly promises: { readonly ballot: Ballot; readonly reported: Ballot }[];
  /** The newest record that it acknowledged before that was chosen: it must not forget it. */
  acknowledged: Ballot;
}

/** Whether a replica that adopts a record accepts it. Else that is committed, or there is none. */
export function isAccepted({ ballot, record }: Extract<Request, { kind: 'adopt' }>): boolean {
  return record !== undefined && sameBallot(record.ballot, ballot);
}

/**
 * Holds replicas to their word: promises only grow (I2), and an acknowledged record is not forgotten, whatever was lost
 * in between. This shows a forgotten promise long before three of them add up to a wrong answer.
 */
export class ReplicaMemory {
  readonly violations: string[] = [];
  readonly #said = new Map<StoreKey, Said[]>();

  /** The newest record of the key that the replica has acknowledged so far. */
  acknowledged(replica: NodeId, request: Request & { readonly key: StoreKey }): Ballot {
    const said = this.#saidOf(replica, request);
    // What nobody else has was not chosen and cannot be any more: it forgets that at once, and says so when that is flushed.
    if (request.kind === 'adopt' && !isAccepted(request)) {
      const kept = request.record?.ballot ?? NO_BALLOT;
      if (compareBallots(kept, said.acknowledged) < 0) said.acknowledged = kept;
    }
    return said.acknowledged;
  }

  /**
   * @param acknowledged by the replica for this key before it got the request: a reader may be told of that moment
   * @param isChosen whether a ballot of the key was chosen before this answer
   */
  answered(
    replica: NodeId,
    request: Request,
    reply: Reply,
    acknowledged: Ballot,
    isChosen: (key: StoreKey, ballot: Ballot) => boolean,
  ): void {
    if (request.kind === 'prepare' && reply.kind === 'promise') {
      const said = this.#saidOf(replica, request);
      this.#checkReport(replica, said.acknowledged, reply);
      const last = said.promises.at(-1);
      if (last !== undefined && compareBallots(request.ballot, last.ballot) < 0) {
        this.#note(`${replica} promises ${showBallot(request.ballot)} after ${showBallot(last.ballot)} (I2)`);
      }
      said.promises.push({ ballot: request.ballot, reported: topOf(reply)?.ballot ?? NO_BALLOT });
    } else if (request.kind === 'read' && reply.kind === 'state') {
      this.#checkReport(replica, acknowledged, reply);
    } else if (request.kind === 'accept' && reply.kind === 'accepted') {
      const { key, record } = request;
      // A chosen record may be acknowledged from memory: it is safe elsewhere.
      if (!isChosen(key, record.ballot))
        this.#checkAcknowledgement(replica, this.#saidOf(replica, request), record.ballot);
    } else if (request.kind === 'adopt' && reply.kind === 'accepted') {
      const { ballot, record } = request;
      const said = this.#saidOf(replica, request);
      if (isAccepted(request)) this.#checkAcknowledgement(replica, said, ballot);
      else if (record !== undefined) said.promises.push({ ballot, reported: record.ballot });
    } else if (request.kind === 'purge' && reply.kind === 'purged') {
      // It may forget the tombstone now, and what was before it.
      const said = this.#saidOf(replica, request);
      if (compareBallots(said.acknowledged, request.ballot) <= 0) said.acknowledged = NO_BALLOT;
    }
  }

  #checkReport(replica: NodeId, acknowledged: Ballot, state: ReplicaState): void {
    if (compareBallots(topOf(state)?.ballot ?? NO_BALLOT, acknowledged) >= 0) return;
    this.#note(`${replica} has forgotten ${showBallot(acknowledged)}, which it had acknowledged`);
  }

  /** Whoever was promised a higher ballot must have been told of this one. */
  #checkAcknowledgement(replica: NodeId, said: Said, ballot: Ballot): void {
    for (const { ballot: promised, reported } of said.promises) {
      if (compareBallots(promised, ballot) <= 0 || compareBallots(reported, ballot) >= 0) continue;
      this.#note(`${replica} accepts ${showBallot(ballot)} although it promised ${showBallot(promised)} (I2)`);
    }
    if (compareBallots(ballot, said.acknowledged) > 0) said.acknowledged = ballot;
  }

  #note(violation: string): void {
    this.violations.push(violation);
  }

  /** Each epoch begins with what was staged for it, so what was said before counts no more. */
  #saidOf(replica: NodeId, request: Request & { readonly key: StoreKey }): Said {
    const epoch = 'epoch' in request ? request.epoch : undefined;
    const ofKey = this.#said.get(request.key);
    const known = ofKey?.find((each) => each.replica === replica && each.epoch === epoch);
    if (known !== undefined) return known;
    const said: Said = { replica, epoch, promises: [], acknowledged: NO_BALLOT };
    if (ofKey === undefined) this.#said.set(request.key, [said]);
    else ofKey.push(said);
    return said;
  }
}
