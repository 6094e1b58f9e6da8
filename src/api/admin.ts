import type { AttributeMap } from './attribute-value.ts';
import type { ActiveFault, FaultRule } from './fault-rule.ts';

/** What may be wrong with the way from one node to another. */
export interface LinkSetting {
  readonly cut?: boolean;
  readonly delayMs?: number;
  /** 0 to 1. */
  readonly dropRate?: number;
}

export type NodeAction = 'stop' | 'start' | 'pause' | 'resume' | 'wipe';

/** What a comparison of all replicas did. */
export interface RepairSummary {
  readonly partitions: number;
  readonly hashesExchanged: number;
  readonly bytesExchanged: number;
  readonly recordsRepaired: number;
  readonly ms: number;
}

/** What reading all that is stored has found. */
export interface ScrubSummary {
  /** Stored values that were read, of all nodes. */
  readonly records: number;
  /** Those whose bytes were not what was written. */
  readonly damaged: number;
  /** Keys of those that others have restored. */
  readonly restored: number;
  readonly ms: number;
}

/** A table and its items, as they were. */
export interface TableSnapshot {
  readonly namespace: string;
  /** The stored definition of the table, as JSON. */
  readonly definition: object;
  readonly items: readonly AttributeMap[];
}

/** The tables of one namespace, or of all. Plain JSON. */
export interface Snapshot {
  readonly format: 1;
  /** Undefined: of all. */
  readonly namespace?: string;
  readonly tables: readonly TableSnapshot[];
}

export interface ClusterView {
  readonly nodes: readonly {
    readonly id: string;
    readonly state: 'up' | 'paused' | 'stopped';
    /** How many partitions it holds, and of how many it is the first member. */
    readonly partitions: number;
    readonly leads: number;
    readonly hints: number;
    readonly suspects: readonly string[];
  }[];
  readonly partitions: readonly {
    readonly partition: number;
    readonly epoch: number;
    /** The home replicas, first the one that coordinates. */
    readonly homes: readonly string[];
  }[];
  readonly replication: number;
  readonly writeQuorum: number;
  readonly readQuorum: number;
  /** Partitions that are still to be moved. */
  readonly movesLeft: number;
}

export interface KeyView {
  readonly partition: number;
  readonly epoch: number;
  /** Home replicas first, then substitutes. */
  readonly preferenceList: readonly string[];
  readonly replicas: readonly {
    readonly node: string;
    /** False: it does not run, and nothing is known. */
    readonly isKnown: boolean;
    /** The time of its committed record, in ms since 1970. */
    readonly committedAtMs?: number;
    readonly isTombstone?: boolean;
    readonly isUnsettled?: boolean;
    readonly isBehind?: boolean;
    /** Whether it cannot read what it has, and is waiting for others to restore it. */
    readonly isDamaged?: boolean;
    /** Records that a staleness rule holds back from it. */
    readonly held?: number;
  }[];
}

/** A message, or something else that happened for a request, so many ms after it came. */
export interface TraceEvent {
  readonly atMs: number;
  readonly what: 'asked' | 'answered' | 'hint' | 'read-repair' | 'fault';
  readonly node?: string;
  /** The kind of message, or the id of the rule that fired. */
  readonly detail: string;
  readonly ballot?: string;
}

export interface Trace {
  readonly requestId: string;
  readonly operation: string;
  readonly coordinator: string | undefined;
  readonly ms: number;
  readonly events: readonly TraceEvent[];
}

/** The door for whoever runs the server or a test: what `/_dynaring/` offers and `startDynaring()` too. */
export interface Admin {
  /** @throws AdminError if the rule makes no sense, or cannot be in this ring */
  addFault(rule: FaultRule): ActiveFault;
  faults(): readonly ActiveFault[];
  /** @throws AdminError if there is none of that id */
  removeFault(id: string): void;
  clearFaults(): void;
  /** @throws AdminError */
  node(id: string, action: NodeAction): Promise<void>;
  setLink(from: string, to: string, setting: LinkSetting): void;
  healLink(from: string, to: string): void;
  /** Releases what staleness rules hold back, and compares all replicas. */
  repair(): Promise<RepairSummary>;
  /** Reads all that is stored, and has restored from other replicas what is damaged. */
  scrub(): Promise<ScrubSummary>;
  /** Releases and compares as `repair` does, and waits until no replica is behind and no hint is left. */
  waitUntilConsistent(): Promise<void>;
  /** Deletes the tables of one namespace, or of all. */
  reset(namespace?: string): Promise<void>;
  snapshot(namespace?: string): Promise<Snapshot>;
  /** Brings back the tables as they were, in place of those that are there now. */
  restore(snapshot: Snapshot): Promise<void>;
  cluster(): ClusterView;
  /** @throws AdminError, or ApiError where the service would say it */
  key(table: string, key: AttributeMap, namespace?: string): Promise<KeyView>;
  trace(requestId: string): Trace | undefined;
}
