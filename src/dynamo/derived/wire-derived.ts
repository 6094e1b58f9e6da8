import type { Env } from '../../env/env.ts';
import type { StoreKey } from '../../env/store.ts';
import type { PartitionVotes } from '../epochs/partition-votes.ts';
import { partitionOf } from '../keyspace.ts';
import { LogDesk } from '../log/log-desk.ts';
import { StreamLogs } from '../log/stream-logs.ts';
import type { NodeSettings } from '../node-settings.ts';
import type { Acceptor } from '../registers/acceptor.ts';
import type { Coordinator } from '../registers/coordinator.ts';
import type { KeyLock } from '../registers/key-lock.ts';
import { type Freed, freeItem } from '../transactions/decision.ts';
import { LedgerSweep } from '../transactions/ledger-sweep.ts';
import { OutboxFinisher } from './outbox-finisher.ts';
import { Propagation } from './propagation.ts';
import { PropagationHold } from './propagation-hold.ts';

/** What keeps global indexes and the logs of streams up to date, and ends what transactions have begun. */
export interface DerivedParts {
  readonly propagation: Propagation;
  readonly propagationHold: PropagationHold;
  readonly outboxFinisher: OutboxFinisher;
  readonly logs: StreamLogs;
  readonly logDesk: LogDesk;
  readonly ledgerSweep: LedgerSweep;
}

interface DerivedBasis {
  readonly settings: NodeSettings;
  readonly env: Env;
  readonly acceptor: Acceptor;
  readonly votes: PartitionVotes;
  readonly coordinator: Coordinator;
  readonly locks: KeyLock;
}

/** Makes the parts of a node that keep global indexes and the logs of streams up to date. */
export function wireDerived({ settings, env, acceptor, votes, coordinator, locks }: DerivedBasis): DerivedParts {
  const { id: self, limits } = settings;
  const { clock } = env;
  const { outbox } = acceptor.rows;
  const logs = new StreamLogs(coordinator);
  const propagationHold = new PropagationHold({
    self,
    clock,
    limits,
    settledOf: (key) => outbox.marks.of(key),
    released: (key, record) => propagation.released(key, record),
  });
  const propagation: Propagation = new Propagation({
    coordinator,
    outbox,
    hold: propagationHold,
    logs,
    committed: (key) => acceptor.stateOf(key).committed,
  });
  const isFirst = (key: StoreKey) => {
    if (votes.votingConfig(partitionOf(key)) === undefined) return undefined;
    return coordinator.configOfKey(key).members.find(({ node }) => coordinator.isUp(node))?.node === self;
  };
  /** In turn with the writes of the key here: several transactions that left it would be in each other's way. */
  const free = (key: StoreKey, done: (freed: Freed) => void) => {
    const begin = () =>
      freeItem(coordinator, { requestId: undefined, key, deadlineMs: coordinator.deadline(), isUntold: true });
    if (!locks.run(key, begin, done)) done({ kind: 'overloaded' });
  };
  const outboxFinisher = new OutboxFinisher({
    clock,
    limits,
    outbox,
    isFirst,
    settle(key, when, done) {
      const settle = () => propagation.settleKey(key, when, done);
      if (acceptor.stateOf(key).committed?.isPending !== true) return settle();
      free(key, settle);
    },
  });
  const ledgerSweep = new LedgerSweep({ store: env.store, coordinator, isFirst, free });
  return { propagation, propagationHold, outboxFinisher, logs, logDesk: new LogDesk(coordinator, logs), ledgerSweep };
}
