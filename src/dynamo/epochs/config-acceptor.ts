import type { Log } from '../../env/log.ts';
import type { Store, StoreKey } from '../../env/store.ts';
import { type Ballot, compareBallots, NO_BALLOT } from '../ballot.ts';
import { partitionPrefix } from '../keyspace.ts';
import type { AcceptedConfig, ConfigRequest, PartitionConfig, Reply } from '../messages.ts';
import type { NodeId } from '../ring.ts';
import { readState, writeState } from '../state-rows.ts';
import type { PartitionVotes } from './partition-votes.ts';

/** The row of a partition in `meta`. One of another epoch than the node votes in is void. */
interface ConfigRow {
  readonly epoch: number;
  readonly promised: Ballot;
  readonly accepted?: AcceptedConfig | undefined;
}

const CONFIG = 'config/';

type Answer = (reply: Reply) => void;

export interface ConfigAcceptorParts {
  readonly self: NodeId;
  readonly store: Store;
  readonly log: Log;
  readonly votes: PartitionVotes;
  /** The newest config of a partition that this node knows. */
  readonly newest: (partition: number) => PartitionConfig;
}

/**
 * This node's part in the config registers of the epochs in which it votes (docs/protocol.md section 8.6): what it has
 * promised and accepted, on the disk before each answer. A seal does not stop it, for it decides what comes after the
 * sealed epoch. It acts on nothing that it accepts: `activate` tells it what a majority has.
 *
 * The rows are read and written as they are asked for: there is one round or two in each change of an epoch.
 */
export class ConfigAcceptor {
  readonly #parts: ConfigAcceptorParts;

  constructor(parts: ConfigAcceptorParts) {
    this.#parts = parts;
  }

  /** Answers once the disk has what the answer says; `wrong-epoch` brings the newest config known here. */
  receive(request: ConfigRequest, answer: Answer): void {
    const { self, votes, newest } = this.#parts;
    const { partition, epoch } = request;
    // By the row of this disk: one that was wiped since has none, whatever its node is called.
    if (votes.votingConfig(partition)?.epoch !== epoch) {
      return answer({ kind: 'wrong-epoch', from: self, config: newest(partition) });
    }
    const row = this.#rowOf(partition, epoch);
    const order = compareBallots(request.ballot, row.promised);
    const isTaken = request.kind === 'config-prepare' ? order > 0 : order >= 0;
    if (!isTaken) return answer({ kind: 'rejected', from: self, effective: row.promised });
    if (request.kind === 'config-prepare') this.#prepare(request, row, answer);
    else this.#accept(request, row, answer);
  }

  /** The last attempt to change an epoch that this node has accepted the beginning of; undefined if it has none. */
  begunIn(partition: number, epoch: number): number | undefined {
    return this.#rowOf(partition, epoch).accepted?.value.begun;
  }

  #prepare(
    { partition, ballot }: Extract<ConfigRequest, { kind: 'config-prepare' }>,
    row: ConfigRow,
    answer: Answer,
  ): void {
    const { accepted } = row;
    this.#write(
      partition,
      { ...row, promised: ballot },
      { kind: 'config-promise', from: this.#parts.self, accepted },
      answer,
    );
  }

  #accept(
    { partition, ballot, value }: Extract<ConfigRequest, { kind: 'config-accept' }>,
    row: ConfigRow,
    answer: Answer,
  ): void {
    const reply: Reply = { kind: 'config-accepted', from: this.#parts.self };
    this.#write(partition, { ...row, promised: ballot, accepted: { ballot, value } }, reply, answer);
  }

  #rowOf(partition: number, epoch: number): ConfigRow {
    const row = readState<ConfigRow>(this.#parts.store, keyOf(partition));
    return row?.epoch === epoch ? row : { epoch, promised: NO_BALLOT };
  }

  #write(partition: number, row: ConfigRow, reply: Reply, answer: Answer): void {
    const { self, store, log } = this.#parts;
    writeState(store, keyOf(partition), row);
    store.flush((error) => {
      if (error === undefined) return answer(reply);
      log.warn('cannot write a change of epoch', { node: self, error });
      answer({ kind: 'storage-failed', from: self, message: error.message });
    });
  }
}

function keyOf(partition: number): StoreKey {
  return CONFIG + partitionPrefix(partition);
}
