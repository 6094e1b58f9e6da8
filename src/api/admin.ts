import type { AttributeMap } from './attribute-value.ts';
import type { ActiveFault, FaultRule } from './fault-rule.ts';

/** The faults of the link from one node to another. */
export interface LinkSetting {
  readonly cut?: boolean;
  readonly delayMs?: number;
  /** 0 to 1. */
  readonly dropRate?: number;
}

/** `replace`: gives a node whose disk is lost the empty disk of the process that waits under its name. */
export type NodeAction = 'stop' | 'start' | 'pause' | 'resume' | 'wipe' | 'replace';

/** Who held a partition before, and who shall hold it, by name; the same nodes: nothing is to be done. */
export interface PartitionMove {
  readonly partition: number;
  readonly from: readonly string[];
  readonly to: readonly string[];
}

export interface LevelChange {
  readonly before: number;
  readonly level: number;
  /** What keeps it from being raised further, a line. */
  readonly because: string;
}

/** The result of a comparison of all replicas. */
export interface RepairSummary {
  readonly partitions: number;
  readonly hashesExchanged: number;
  readonly bytesExchanged: number;
  readonly recordsRepaired: number;
  readonly ms: number;
}

/** The result of reading all stored values. */
export interface ScrubSummary {
  /** Stored values that were read, on all nodes together. */
  readonly records: number;
  /** Values whose bytes are not those that were written. */
  readonly damaged: number;
  /** Keys whose damaged values other replicas have restored. */
  readonly restored: number;
  readonly ms: number;
}

/** A table and its items at the time of the snapshot. */
export interface TableSnapshot {
  readonly namespace: string;
  /** The stored definition of the table, as JSON. */
  readonly definition: object;
  readonly items: readonly AttributeMap[];
}

/** The tables of one namespace, or of all. Plain JSON. */
export interface Snapshot {
  readonly format: 1;
  /** Undefined: the tables are those of all namespaces. */
  readonly namespace?: string;
  readonly tables: readonly TableSnapshot[];
}

export interface ClusterView {
  /**
   * Whether all nodes are up and answer, every partition has the members that it shall have, and each of those votes in
   * its newest epoch.
   */
  readonly healthy: boolean;
  /** Why it is not healthy, and what else an operator should know: a line each, the worst first, at most twenty. */
  readonly problems: readonly string[];
  readonly nodes: readonly {
    readonly id: string;
    /** What people call it; of a node with a process of its own, the id without its disk. */
    readonly name: string;
    /** `silent`: it is connected, and does not say in time how it is. */
    readonly state: 'up' | 'paused' | 'silent' | 'stopped';
    /** How many partitions it holds; `leads`: of how many of them it is the first member. */
    readonly partitions: number;
    readonly leads: number;
    readonly hints: number;
    readonly suspects: readonly string[];
    /** The version of its program and the highest level that this knows, where it has a process, which is there. */
    readonly version?: string;
    readonly knowsLevel?: number;
  }[];
  readonly partitions: readonly {
    readonly partition: number;
    readonly epoch: number;
    /** The home replicas, the preferred coordinator first. */
    readonly homes: readonly string[];
    /** Those of them that do not vote in this epoch, as far as is known. */
    readonly notVoting: readonly string[];
    /** Who shall hold it; undefined: those who do. */
    readonly moveTo?: readonly string[];
    /** The node that moves it now. */
    readonly movedBy?: string;
  }[];
  readonly replication: number;
  readonly writeQuorum: number;
  readonly readQuorum: number;
  /** Partitions that are still to be moved. */
  readonly movesLeft: number;
  /** Partitions of which no majority votes: they serve no strict request. */
  readonly withoutMajority: readonly number[];
  /** Where nodes have processes: what all of them can, what it can be raised to now, and why no further. */
  readonly level?: { readonly now: number; readonly possible: number; readonly because: string };
}

export interface KeyView {
  readonly partition: number;
  readonly epoch: number;
  /** Home replicas first, then substitutes. */
  readonly preferenceList: readonly string[];
  readonly replicas: readonly {
    readonly node: string;
    /** False: the node does not run, so nothing is known of its replica. */
    readonly isKnown: boolean;
    /** The time of its committed record, in ms since 1970. */
    readonly committedAtMs?: number;
    readonly isTombstone?: boolean;
    readonly isUnsettled?: boolean;
    readonly isBehind?: boolean;
    /** Whether its record cannot be read and waits to be restored from other replicas. */
    readonly isDamaged?: boolean;
    /** Records that a staleness rule holds back from it. */
    readonly held?: number;
  }[];
}

/** A message, or another event, that a request caused; so many ms after the request came. */
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

/** The result of looking for items that have expired. */
export interface SweepSummary {
  /** How many were deleted. */
  readonly deleted: number;
}

/** Time as the API means it. */
export interface ClockView {
  /** In ISO 8601, UTC. */
  readonly now: string;
  /** The same in ms since 1970. */
  readonly nowMs: number;
  /** How far it is ahead of the computer's clock. */
  readonly offsetMs: number;
}

/** `advance`: by `49h`, `90s`, `-1h`, or by ms. `set`: to a time in ISO 8601, or in ms since 1970. */
export type ClockMove = { readonly advance: string | number } | { readonly set: string | number };

/** As `{"throttle": "on"}`. */
export type SharedSettingsView = Readonly<Record<string, string>>;

/** The door for administrators: the actions that `/_dynaring/` serves, and `startDynaring()` too. */
export interface Admin {
  /** @throws AdminError if the rule makes no sense, or is not possible in this ring */
  addFault(rule: FaultRule): ActiveFault | Promise<ActiveFault>;
  faults(): readonly ActiveFault[] | Promise<readonly ActiveFault[]>;
  /** @throws AdminError if there is none of that id */
  removeFault(id: string): void | Promise<void>;
  clearFaults(): void | Promise<void>;
  /** @throws AdminError */
  node(id: string, action: NodeAction): Promise<void>;
  /** Adds a node with an empty disk. @returns its id. @throws AdminError, also where each node has a process */
  addNode(): Promise<string>;
  /**
   * Takes a node out for ever. Resolves when it has ended, or, if it has a process of its own, when that is wanted.
   *
   * @throws AdminError if fewer nodes than N would be left
   */
  removeNode(id: string): Promise<void>;
  /**
   * Has a partition held by these nodes, where each has a process. It is moved in the background.
   *
   * @throws AdminError if they are not as many different nodes as there are copies
   */
  movePartition(partition: number, to: readonly string[]): Promise<PartitionMove>;
  /**
   * Raises the level of a cluster as far as the releases of all its processes go. Older releases are refused afterwards.
   *
   * @throws AdminError if a node is not there, or all nodes are of one process
   */
  finalize(): Promise<LevelChange>;
  setLink(from: string, to: string, setting: LinkSetting): void | Promise<void>;
  healLink(from: string, to: string): void | Promise<void>;
  /** Releases the records that staleness rules hold back, and compares all replicas. */
  repair(): Promise<RepairSummary>;
  /** Reads all stored values, and has damaged ones restored from other replicas. */
  scrub(): Promise<ScrubSummary>;
  /** Releases and compares as `repair` does, and waits until no replica is behind and no hint is left. */
  waitUntilConsistent(): Promise<void>;
  /** Deletes all items that have expired, apart from those that a rule makes stay. */
  sweep(): Promise<SweepSummary>;
  clock(): ClockView;
  /** @throws AdminError if it names no time, or one that is out of range */
  moveClock(move: ClockMove): ClockView;
  /** Puts the clock back to where it would be had it never been moved. */
  resetClock(): ClockView;
  /**
   * The settings that all processes of a cluster share, by the names of the flags.
   *
   * @throws AdminError in a server of one process, whose settings are given when it starts
   */
  settings(): Promise<SharedSettingsView>;
  /**
   * Changes them: each process goes by them from its next start.
   *
   * @throws AdminError that names what is wrong
   */
  changeSettings(given: Readonly<Record<string, unknown>>): Promise<SharedSettingsView>;
  /** Deletes the tables of one namespace, or of all; with those of all, the clock is put back. */
  reset(namespace?: string): Promise<void>;
  snapshot(namespace?: string): Promise<Snapshot>;
  /** Brings back the tables of a snapshot. They replace the present tables of its namespace, or of all. */
  restore(snapshot: Snapshot): Promise<void>;
  /** Asks all nodes, for some seconds at most. */
  cluster(): Promise<ClusterView>;
  /** @throws AdminError; ApiError for errors that the service would answer */
  key(table: string, key: AttributeMap, namespace?: string): Promise<KeyView>;
  /** Of a request that this process has served. */
  trace(requestId: string): Trace | undefined;
  /** As `trace`, and of one that another process has served. @throws AdminError if that does not answer */
  findTrace(requestId: string): Promise<Trace | undefined>;
}
