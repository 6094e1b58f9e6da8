import type { Consistency } from '../../src/dynamo/client.ts';
import { DEFAULT_NODE_LIMITS, type NodeLimits } from '../../src/dynamo/node-settings.ts';
import type { FoundingPlan } from './founding-history.ts';
import type { IndexPlan } from './indexed-items.ts';

/** How often clients do what, in parts of the whole. */
export interface Mix {
  readonly put: number;
  readonly delete: number;
  /** Put if the register holds a given value, nothing, or anything. */
  readonly conditionalPut: number;
  readonly conditionalDelete: number;
  readonly read: number;
  readonly eventualRead: number;
  /** Of the items of one collection, consistent or not. */
  readonly rangeRead: number;
  /** In tables with indexes: a put under a condition of another version with the same index keys. */
  readonly samePut?: number;
  /** In tables with indexes: a put of what is there. */
  readonly touch?: number;
  /** Of entries of a global index. */
  readonly indexQuery?: number;
  /** Of the items of one collection in the order of a local index, consistent or not. */
  readonly localQuery?: number;
  /** A transaction of two to five of the keys. */
  readonly transaction?: number;
  /** A read of two to five of the keys at one moment. */
  readonly readTogether?: number;
}

/**
 * `join`: a spare node comes in. `leave`: one goes, if N are left. `replace`: one loses its disk and comes back. `again`: an
 * epoch change with the same members. `absence`: one is down for so long that the ring goes on without it; then it comes
 * back with what it had. Where there is a goal, several join or leave at once, `replace` gives the name of a node that lives to
 * another one, `lose` takes a disk for ever, and `shuffle` wants other members of all partitions.
 */
export type MembershipChange = 'join' | 'leave' | 'replace' | 'again' | 'absence' | 'lose' | 'shuffle';

/** What a history is made of, but for what its seed draws. */
export interface Scenario {
  readonly nodes: number;
  /** Of these, so many are not in the ring at first. */
  readonly spares: number;
  /** N */
  readonly replication: number;
  /** W */
  readonly writeQuorum: number;
  /** R */
  readonly readQuorum: number;
  readonly readFrom: 'first' | 'random';
  readonly clients: number;
  /** Of all clients together. */
  readonly operations: number;
  readonly keys: number;
  /** Whether the keys are the items of one collection, or of one each. */
  readonly isCollection: boolean;
  readonly partitions: number;
  readonly mix: Mix;
  /** Whether range reads go either way, and begin and end at any key; otherwise they go forward through a whole collection. */
  readonly rangesVary: boolean;
  /** The indexes of the table, if it has any; then the ring has to heal by itself. */
  readonly indexes: IndexPlan | undefined;
  readonly consistency: Consistency;
  /** A client waits for up to so long before its next operation. */
  readonly thinkMs: number;
  /** Clients are cut off at this time even if they are not done. */
  readonly lastsMs: number;
  /**
   * `calm`: messages are only late and reordered. `normal`: they also get lost and doubled, links are cut, clocks step,
   * disks are full for a moment, up to two nodes crash. `lossy`: a fifth to a half of all messages get lost. `stress`:
   * three to ten short crashes, and four messages in ten are slow. `split`: one to three times, for a while, the nodes are
   * in two parts that hear nothing of each other; nothing crashes. `laggards`: two nodes are cut off from all others for
   * longer than anything else lives, and four messages in ten are slow; nothing crashes. `flapping`: as `normal`, but nodes
   * crash dozens of times, and are back in a moment.
   */
  readonly faults: 'calm' | 'normal' | 'lossy' | 'stress' | 'split' | 'laggards' | 'flapping';
  /**
   * Whether the clocks of all nodes are right, and none steps: then of two writes in `dynamo` mode, one after the other, the
   * later one has to win, those with conditions among them.
   */
  readonly clocksAgree: boolean;
  /** Whether nodes crash at all; not in calm. */
  readonly crashes: boolean;
  /** How often all nodes are killed at once. */
  readonly powerLosses: number;
  /** How often a node is down for so long that tombstones are purged meanwhile, without a change of the membership. */
  readonly outages: number;
  /** Whether most nodes that crash are stopped in order instead. */
  readonly stops: boolean;
  /** One node comes back with an empty disk, which no partition names. */
  readonly losesDisk: boolean;
  /**
   * Whether nodes probe, gossip, hand off hints, settle, purge and compare replicas by themselves, and have to be alike in
   * the end. Else one replica now and then sends another what it has committed.
   */
  readonly heals: boolean;
  /** What also comes a second time, later: messages about epochs that are over by then, or records that are no news. */
  readonly echoes: 'epochs' | 'records' | undefined;
  /** What happens to the membership: so many changes, each of a random kind among these. */
  readonly changes: { readonly count: number; readonly kinds: readonly MembershipChange[] };
  /** Whether the members of each epoch decide the next one, by rounds of their own, and not one register for all. */
  readonly decidesByMembers: boolean;
  /** Whether the ring is to be as a goal says that is stored in it, and every node moves it there. */
  readonly hasGoal: boolean;
  /** If it is a history not of a ring but of the founding of one: then nothing else of the scenario counts. */
  readonly founding: FoundingPlan | undefined;
  /**
   * Whether rules of lag come and go, each for some of the keys, until the faults end at the latest; then what they hold is
   * released. Half of the eventually consistent reads ask a replica that may lag.
   */
  readonly lags: boolean;
  /** In a table with a stream: cells that are so old are trimmed now and then, or never. */
  readonly trimsAfterMs: number | undefined;
  /** Whether records on the disk of one host are damaged now and then. */
  readonly rots: boolean;
  /** Whether every tombstone has to be purged in the end: the grace must be short enough for that. */
  readonly purges: boolean;
  readonly limits: NodeLimits;
}

const MIXED: Mix = {
  put: 6,
  delete: 2,
  conditionalPut: 5,
  conditionalDelete: 1,
  read: 7,
  eventualRead: 2,
  rangeRead: 0,
};
const EVENTUAL: Mix = { ...MIXED, eventualRead: 16 };

/** Times of the order of the simulated network's, so that histories are short and every limit is met. */
const LIMITS: NodeLimits = {
  ...DEFAULT_NODE_LIMITS,
  opLifeMs: 500,
  phaseTimeoutMs: 60,
  maxBackoffMs: 25,
  lineageWindowMs: 5_000,
};

const BASE: Scenario = {
  nodes: 3,
  spares: 0,
  replication: 3,
  writeQuorum: 2,
  readQuorum: 1,
  readFrom: 'first',
  clients: 3,
  operations: 12,
  keys: 1,
  isCollection: false,
  partitions: 1,
  mix: MIXED,
  rangesVary: false,
  indexes: undefined,
  consistency: 'strict',
  thinkMs: 20,
  lastsMs: 1_600,
  faults: 'normal',
  clocksAgree: false,
  crashes: true,
  powerLosses: 0,
  outages: 0,
  stops: false,
  losesDisk: false,
  heals: false,
  echoes: undefined,
  changes: { count: 0, kinds: [] },
  decidesByMembers: false,
  hasGoal: false,
  founding: undefined,
  lags: false,
  trimsAfterMs: undefined,
  rots: false,
  purges: false,
  limits: LIMITS,
};

/** In a proper order: operations and messages die before hints, hints before tombstones; all within one history. */
const HEALING_LIMITS: NodeLimits = {
  ...LIMITS,
  opLifeMs: 300,
  // A restart makes ballots jump so far ahead, and the age of a tombstone is that of its ballot.
  ceilingAheadMs: 50,
  suspectAfterMs: 60,
  probeIntervalMs: 150,
  gossipIntervalMs: 200,
  // The slowest message, doubled on the way.
  messageLifeMs: 240,
  hintLifeMs: 1_500,
  hintIntervalMs: 60,
  repairPauseMs: 1,
  repairTimeoutMs: 150,
  merkleDepth: 1,
  tombstoneGraceMs: 2_500,
  purgeIntervalMs: 400,
  finishIntervalMs: 100,
};
/** Tombstones grow old and are purged while clients go on. */
const PURGING_LIMITS: NodeLimits = {
  ...HEALING_LIMITS,
  opLifeMs: 150,
  hintLifeMs: 450,
  tombstoneGraceMs: 700,
  purgeIntervalMs: 150,
};

const HEALING: Scenario = { ...BASE, heals: true, limits: HEALING_LIMITS };
/** A replica looks at its disk each time: what it remembers does not rot. */
const ROTTING: Scenario = { ...HEALING, rots: true, limits: { ...HEALING_LIMITS, statesKept: 0 } };
const DELETING: Mix = { ...MIXED, put: 3, delete: 8, conditionalPut: 3 };
const DYNAMO: Scenario = {
  ...HEALING,
  nodes: 4,
  partitions: 2,
  keys: 2,
  clients: 4,
  operations: 18,
  consistency: 'dynamo',
  mix: { put: 8, delete: 2, conditionalPut: 0, conditionalDelete: 0, read: 4, eventualRead: 4, rangeRead: 0 },
};
const ROTTING_DYNAMO: Scenario = { ...DYNAMO, rots: true, limits: { ...HEALING_LIMITS, statesKept: 0 } };
const TOMBSTONES: Scenario = {
  ...HEALING,
  mix: DELETING,
  operations: 16,
  thinkMs: 250,
  purges: true,
  limits: PURGING_LIMITS,
};
const FULL_MIX: Scenario = {
  ...HEALING,
  nodes: 5,
  spares: 1,
  partitions: 2,
  keys: 2,
  operations: 14,
  mix: DELETING,
  changes: { count: 3, kinds: ['join', 'leave', 'replace', 'again', 'absence'] },
};
/** A cluster of several processes, with room for new ones. */
const GOAL: Scenario = {
  ...HEALING,
  nodes: 8,
  spares: 5,
  partitions: 2,
  keys: 2,
  operations: 16,
  decidesByMembers: true,
  hasGoal: true,
  changes: { count: 4, kinds: ['join', 'leave', 'replace', 'lose', 'shuffle', 'again'] },
};
/** What tables with indexes have of their own, of the order of the simulated network's delays as well. */
const SETTLING = {
  derivationFreshMs: 50,
  owedKept: 4,
  entryWaitMs: 60,
  outboxAgeMs: 120,
  outboxLaterMs: 200,
} satisfies Partial<NodeLimits>;
const INDEX_LIMITS: NodeLimits = { ...HEALING_LIMITS, ...SETTLING };
/** Items whose entries move about in two global indexes. */
const INDEXED: Scenario = {
  ...HEALING,
  nodes: 4,
  partitions: 2,
  keys: 3,
  isCollection: true,
  operations: 24,
  limits: INDEX_LIMITS,
  indexes: { globals: 2, hasLocal: false, change: 'none' },
  mix: {
    put: 6,
    delete: 2,
    conditionalPut: 2,
    conditionalDelete: 1,
    read: 2,
    eventualRead: 1,
    rangeRead: 1,
    samePut: 3,
    touch: 1,
    indexQuery: 5,
    localQuery: 0,
  },
};
const INDEX_DELETING: Mix = { ...INDEXED.mix, put: 5, delete: 6, samePut: 1, indexQuery: 3 };
/** Tombstones of items and of entries grow old and are purged while clients go on. */
const INDEX_PURGING: Scenario = {
  ...INDEXED,
  keys: 2,
  operations: 20,
  mix: INDEX_DELETING,
  thinkMs: 250,
  purges: true,
  limits: { ...PURGING_LIMITS, ...SETTLING },
};
/** A second index comes or goes while clients write. Operations are short, so that the back-fill does not wait for long. */
const INDEX_CHANGING: Scenario = {
  ...INDEXED,
  // Most of them are not written again after the change.
  keys: 10,
  operations: 45,
  thinkMs: 60,
  indexes: { globals: 2, hasLocal: false, change: 'add' },
  limits: { ...INDEX_LIMITS, opLifeMs: 150 },
};
/** Queries of the items of one collection in the order of their local index. */
const LOCALLY_INDEXED: Scenario = {
  ...INDEXED,
  keys: 6,
  clients: 4,
  operations: 30,
  indexes: { globals: 1, hasLocal: true, change: 'none' },
  mix: { ...INDEXED.mix, conditionalDelete: 0, samePut: 2, indexQuery: 1, localQuery: 10 },
};
/** Of the order of a history: heads of logs are read again, and cells are full. */
const LOGGING = { changesKept: 4, cellChanges: 3, logHeadMs: 200, logCoveredMs: 60 } satisfies Partial<NodeLimits>;
/** Items whose changes go into a log, and nothing else of them. */
const STREAMED: Scenario = {
  ...INDEXED,
  indexes: { globals: 0, hasLocal: false, change: 'none', stream: { view: 'NEW_AND_OLD_IMAGES', shards: 1 } },
  operations: 30,
  limits: { ...INDEX_LIMITS, ...LOGGING },
  mix: { ...INDEXED.mix, put: 9, delete: 3, touch: 3, indexQuery: 0 },
};
/** Tombstones of items and of cells grow old and are purged while clients go on. */
const STREAM_PURGING: Scenario = {
  ...STREAMED,
  keys: 2,
  operations: 24,
  thinkMs: 200,
  purges: true,
  limits: { ...PURGING_LIMITS, ...SETTLING, ...LOGGING },
};
const WRITES: Mix = {
  ...INDEXED.mix,
  put: 10,
  delete: 0,
  conditionalPut: 0,
  conditionalDelete: 0,
  read: 0,
  eventualRead: 0,
  rangeRead: 0,
  samePut: 0,
  touch: 0,
  indexQuery: 0,
};
/** A table without global indexes owes nothing to anybody. */
const ONLY_LOCALLY_INDEXED: Scenario = {
  ...LOCALLY_INDEXED,
  heals: false,
  keys: 3,
  faults: 'stress',
  indexes: { globals: 0, hasLocal: true, change: 'none' },
  limits: { ...INDEX_LIMITS, opLifeMs: 500 },
};

/** Transactions over two to five items beside all else that clients do. */
const TRANSACTIONS: Scenario = {
  ...HEALING,
  nodes: 4,
  partitions: 2,
  keys: 4,
  clients: 4,
  operations: 22,
  limits: { ...HEALING_LIMITS, ...SETTLING, tokenKeptMs: 20_000 },
  mix: {
    put: 3,
    delete: 1,
    conditionalPut: 3,
    conditionalDelete: 1,
    read: 6,
    eventualRead: 1,
    rangeRead: 0,
    transaction: 9,
    readTogether: 4,
  },
};

export const SCENARIOS = {
  mixed: BASE,
  stress: { ...BASE, faults: 'stress' },
  calm: { ...BASE, faults: 'calm', readFrom: 'random', mix: EVENTUAL },
  blind: { ...BASE, mix: { ...MIXED, conditionalPut: 0, conditionalDelete: 0 } },
  conditional: { ...BASE, mix: { ...MIXED, put: 1, delete: 0, conditionalPut: 8, conditionalDelete: 2 } },
  contended: {
    ...BASE,
    clients: 5,
    operations: 20,
    crashes: false,
    mix: { put: 0, delete: 0, conditionalPut: 10, conditionalDelete: 0, read: 3, eventualRead: 0, rangeRead: 0 },
    limits: { ...LIMITS, phaseTimeoutMs: 30 },
  },
  crowd: { ...BASE, clients: 6, operations: 24 },
  'five-replicas': { ...BASE, nodes: 5, replication: 5, writeQuorum: 3, clients: 4 },
  'five-nodes': { ...BASE, nodes: 5, partitions: 8, keys: 3, clients: 4, operations: 18 },
  'one-copy': { ...BASE, writeQuorum: 1, mix: EVENTUAL, readFrom: 'random' },
  'all-copies': { ...BASE, writeQuorum: 3 },
  'quorum-reads': { ...BASE, readQuorum: 2, readFrom: 'random', mix: EVENTUAL, crashes: false },
  'reads-of-one': { ...BASE, writeQuorum: 3, readFrom: 'random', mix: EVENTUAL, crashes: false },
  lossy: { ...BASE, faults: 'lossy' },
  collection: { ...BASE, keys: 4, isCollection: true, operations: 16, mix: { ...MIXED, rangeRead: 10 } },
  // More tombstones than a replica tells at a time.
  'long-collection': {
    ...BASE,
    keys: 24,
    isCollection: true,
    clients: 5,
    operations: 54,
    mix: { ...MIXED, put: 4, delete: 30, conditionalPut: 1, read: 0, rangeRead: 10 },
  },
  // Pages of a replica hold few keys more than are asked for, and many keys are new to some of the replicas.
  'ordered-collection': {
    ...BASE,
    keys: 12,
    isCollection: true,
    clients: 5,
    operations: 40,
    mix: { ...MIXED, put: 8, delete: 6, conditionalPut: 1, read: 0, rangeRead: 14 },
    rangesVary: true,
    limits: { ...LIMITS, rangeSpareEntries: 1 },
  },
  'short-lineage': { ...BASE, limits: { ...LIMITS, lineageWindowMs: 60 } },
  'little-memory': {
    ...BASE,
    keys: 3,
    partitions: 2,
    operations: 18,
    limits: { ...LIMITS, promisesKept: 1, statesKept: 1 },
  },
  'low-ceiling': { ...BASE, faults: 'stress', limits: { ...LIMITS, ceilingAheadMs: 1 } },
  stops: { ...BASE, faults: 'stress', stops: true },
  drift: { ...BASE, limits: { ...LIMITS, ceilingAheadMs: 50, maxDriftMs: 100 } },
  'lost-disk': { ...BASE, losesDisk: true },
  healing: HEALING,
  'healing-stress': { ...HEALING, faults: 'stress' },
  'healing-lossy': { ...HEALING, faults: 'lossy' },
  'healing-five': { ...HEALING, nodes: 5, partitions: 4, keys: 3, clients: 4, operations: 18 },
  // Nodes that lead writes are cut off on the way, and take little for it.
  'cut-off': {
    ...HEALING,
    clients: 4,
    operations: 20,
    faults: 'split',
    limits: { ...HEALING_LIMITS, phaseTimeoutMs: 25, suspectAfterMs: 30 },
  },
  tombstones: TOMBSTONES,
  // One that was cut off sends to another what is deleted, and then both hear of its tombstone, when that is about to go.
  laggards: {
    ...DYNAMO,
    nodes: 3,
    partitions: 1,
    writeQuorum: 1,
    keys: 10,
    operations: 50,
    mix: { ...DYNAMO.mix, put: 6, delete: 7, read: 1, eventualRead: 0 },
    thinkMs: 250,
    faults: 'laggards',
    echoes: 'records',
    purges: true,
    limits: {
      ...PURGING_LIMITS,
      opLifeMs: 200,
      phaseTimeoutMs: 150,
      hintsKept: 0,
      hintLifeMs: 210,
      tombstoneGraceMs: 460,
      purgeIntervalMs: 40,
    },
  },
  replaced: { ...HEALING, changes: { count: 1, kinds: ['replace'] } },
  again: { ...HEALING, changes: { count: 3, kinds: ['again'] } },
  joins: { ...HEALING, nodes: 5, spares: 2, partitions: 2, keys: 2, changes: { count: 2, kinds: ['join'] } },
  leaves: { ...HEALING, nodes: 5, partitions: 2, keys: 2, changes: { count: 2, kinds: ['leave'] } },
  // Nodes leave and come back, and what they were told before arrives again.
  'late-epochs': {
    ...HEALING,
    nodes: 5,
    spares: 1,
    operations: 16,
    echoes: 'epochs',
    changes: { count: 6, kinds: ['join', 'leave', 'again'] },
  },
  'long-absence': {
    ...HEALING,
    nodes: 4,
    partitions: 2,
    keys: 2,
    mix: DELETING,
    operations: 16,
    thinkMs: 250,
    changes: { count: 1, kinds: ['absence'] },
    purges: true,
    limits: PURGING_LIMITS,
  },
  dynamo: DYNAMO,
  'dynamo-split': { ...DYNAMO, nodes: 5, writeQuorum: 1, faults: 'split' },
  // Often no home replica is within reach, and a hint is all there is of a write.
  'dynamo-two-copies': { ...DYNAMO, nodes: 6, replication: 2, writeQuorum: 1, faults: 'split' },
  'dynamo-changes': {
    ...DYNAMO,
    nodes: 5,
    spares: 1,
    changes: { count: 3, kinds: ['join', 'leave', 'replace', 'again', 'absence'] },
  },
  // Writes go on while epochs change.
  'dynamo-epochs': {
    ...DYNAMO,
    nodes: 5,
    spares: 1,
    partitions: 1,
    operations: 70,
    mix: { ...DYNAMO.mix, put: 12 },
    changes: { count: 6, kinds: ['join', 'leave', 'again'] },
  },
  'dynamo-quorums': { ...DYNAMO, nodes: 4, readQuorum: 2, faults: 'lossy' },
  // Nodes come back before their clocks have passed their ceilings.
  'dynamo-in-order': {
    ...DYNAMO,
    nodes: 3,
    partitions: 1,
    keys: 3,
    operations: 24,
    mix: { ...DYNAMO.mix, put: 10, conditionalPut: 3 },
    faults: 'stress',
    clocksAgree: true,
    limits: { ...HEALING_LIMITS, ceilingAheadMs: 150 },
  },
  // Writes under conditions, and those that ask for the old value, are consensus rounds here too.
  'dynamo-conditional': {
    ...HEALING,
    consistency: 'dynamo',
    mix: { ...MIXED, read: 0, eventualRead: 7 },
  },
  'full-mix': FULL_MIX,
  lagging: { ...HEALING, mix: EVENTUAL, operations: 16, lags: true },
  'lagging-quorums': { ...BASE, readQuorum: 2, readFrom: 'random', mix: EVENTUAL, crashes: false, lags: true },
  'lagging-tombstones': { ...TOMBSTONES, keys: 2, operations: 20, lags: true },
  'lagging-dynamo': { ...DYNAMO, nodes: 2, replication: 2, writeQuorum: 1, faults: 'stress', lags: true },
  'lagging-mix': { ...FULL_MIX, mix: { ...DELETING, eventualRead: 8 }, lags: true },
  'lagging-again': { ...HEALING, operations: 16, changes: { count: 3, kinds: ['again'] }, lags: true },
  // The oldest of what is held is released all the time.
  'lagging-little': {
    ...HEALING,
    keys: 3,
    operations: 20,
    mix: EVENTUAL,
    lags: true,
    limits: { ...HEALING_LIMITS, lagRecordsKept: 2 },
  },
  rotting: ROTTING,
  'rotting-stress': { ...ROTTING, faults: 'stress' },
  'rotting-quorums': { ...ROTTING, readQuorum: 2, readFrom: 'random', mix: EVENTUAL, crashes: false },
  'rotting-collection': {
    ...ROTTING,
    keys: 4,
    isCollection: true,
    operations: 16,
    mix: { ...MIXED, rangeRead: 10 },
  },
  'rotting-ordered': {
    ...ROTTING,
    keys: 6,
    isCollection: true,
    operations: 20,
    mix: { ...MIXED, rangeRead: 10 },
    rangesVary: true,
    limits: { ...ROTTING.limits, rangeSpareEntries: 1 },
  },
  'rotting-two': { ...ROTTING, nodes: 2, replication: 2 },
  'rotting-five': { ...ROTTING, nodes: 5, replication: 5, writeQuorum: 3, clients: 4 },
  'rotting-tombstones': { ...TOMBSTONES, rots: true, limits: { ...PURGING_LIMITS, statesKept: 0 } },
  'rotting-changes': {
    ...ROTTING,
    nodes: 5,
    spares: 1,
    partitions: 2,
    keys: 2,
    changes: { count: 3, kinds: ['join', 'leave', 'again'] },
  },
  'rotting-dynamo': ROTTING_DYNAMO,
  // Two copies of five are enough: a record that rots may have its only other copy, or a hint, in the other part.
  'rotting-dynamo-five': { ...ROTTING_DYNAMO, nodes: 5, replication: 5, faults: 'split' },
  'rotting-dynamo-split': { ...ROTTING_DYNAMO, nodes: 5, faults: 'split' },
  'rotting-dynamo-tombstones': {
    ...ROTTING_DYNAMO,
    nodes: 5,
    operations: 24,
    mix: { ...DYNAMO.mix, put: 4, delete: 8 },
    thinkMs: 120,
    faults: 'split',
    purges: true,
    limits: { ...PURGING_LIMITS, statesKept: 0 },
  },
  'rotting-dynamo-changes': {
    ...ROTTING_DYNAMO,
    nodes: 5,
    spares: 1,
    changes: { count: 3, kinds: ['join', 'leave', 'again'] },
  },
  'rotting-dynamo-conditional': {
    ...ROTTING,
    consistency: 'dynamo',
    mix: { ...MIXED, read: 0, eventualRead: 7 },
  },
  index: INDEXED,
  // Nothing fails, so a write is answered when indexes show it.
  'index-calm': {
    ...INDEXED,
    faults: 'calm',
    limits: { ...INDEX_LIMITS, opLifeMs: 2_000, phaseTimeoutMs: 500, suspectAfterMs: 1_000, entryWaitMs: 2_000 },
  },
  'index-stress': { ...INDEXED, faults: 'stress' },
  'index-lossy': { ...INDEXED, faults: 'lossy' },
  'index-power': { ...INDEXED, powerLosses: 3 },
  // Each item in a collection of its own.
  'index-scattered': { ...INDEXED, isCollection: false, partitions: 4, nodes: 5 },
  'index-moves': {
    ...INDEXED,
    nodes: 5,
    spares: 1,
    operations: 30,
    changes: { count: 5, kinds: ['join', 'leave', 'again', 'again'] },
  },
  'index-replaced': { ...INDEXED, nodes: 5, changes: { count: 2, kinds: ['replace', 'again'] } },
  'index-purges': INDEX_PURGING,
  'index-away': { ...INDEX_PURGING, changes: { count: 1, kinds: ['absence'] } },
  'index-added': INDEX_CHANGING,
  'index-added-stress': { ...INDEX_CHANGING, faults: 'stress', changes: { count: 2, kinds: ['again'] } },
  // Most items are written for the first time while the index is added, some by clients that do not know of it.
  'index-added-early': {
    ...INDEX_CHANGING,
    nodes: 3,
    partitions: 1,
    keys: 12,
    clients: 12,
    operations: 12,
    thinkMs: 150,
    faults: 'lossy',
    mix: WRITES,
    limits: { ...INDEX_CHANGING.limits, opLifeMs: 400 },
  },
  'index-dropped': { ...INDEX_CHANGING, indexes: { ...INDEX_CHANGING.indexes!, change: 'drop' } },
  'index-lags': { ...INDEXED, lags: true, operations: 36, mix: { ...INDEXED.mix, eventualRead: 8 } },
  'index-outage': { ...INDEX_PURGING, operations: 48, lastsMs: 3_000, outages: 1 },
  // Entries are held back for so long that the tombstones of their items could be purged.
  'index-held': {
    ...INDEX_PURGING,
    keys: 3,
    lags: true,
    operations: 48,
    lastsMs: 3_000,
    mix: { ...INDEX_DELETING, eventualRead: 6 },
  },
  'index-rotting': { ...INDEXED, rots: true, limits: { ...INDEX_LIMITS, statesKept: 0 } },
  'local-rotting': { ...LOCALLY_INDEXED, rots: true, limits: { ...INDEX_LIMITS, statesKept: 0 } },
  local: LOCALLY_INDEXED,
  'local-stress': { ...LOCALLY_INDEXED, faults: 'stress' },
  // Most queries merge several pages of each replica.
  'local-pages': {
    ...LOCALLY_INDEXED,
    keys: 12,
    operations: 45,
    mix: { ...LOCALLY_INDEXED.mix, localQuery: 20 },
    faults: 'lossy',
    limits: { ...INDEX_LIMITS, rangeSpareEntries: 1 },
  },
  // Nothing but the local index: its replicas do not heal by themselves, and one is behind by many writes.
  'local-behind': {
    ...ONLY_LOCALLY_INDEXED,
    keys: 12,
    clients: 5,
    operations: 90,
    thinkMs: 40,
    lastsMs: 3_000,
    outages: 2,
    mix: { ...WRITES, delete: 2, localQuery: 14 },
    limits: { ...ONLY_LOCALLY_INDEXED.limits, rangeSpareEntries: 0 },
  },
  // An accepted record is often replaced by another one that is never chosen.
  'local-contended': {
    ...ONLY_LOCALLY_INDEXED,
    clients: 6,
    operations: 90,
    thinkMs: 5,
    mix: { ...WRITES, put: 8, delete: 1, read: 6, localQuery: 12 },
  },
  'local-moves': { ...LOCALLY_INDEXED, nodes: 5, spares: 1, changes: { count: 3, kinds: ['join', 'leave', 'again'] } },
  'index-mix': {
    ...INDEX_PURGING,
    nodes: 5,
    spares: 1,
    keys: 4,
    operations: 40,
    thinkMs: 120,
    powerLosses: 1,
    indexes: { globals: 2, hasLocal: true, change: 'add' },
    mix: { ...INDEX_DELETING, localQuery: 4 },
    changes: { count: 3, kinds: ['join', 'leave', 'replace', 'again', 'absence'] },
  },
  stream: STREAMED,
  'stream-stress': { ...STREAMED, faults: 'stress' },
  'stream-lossy': { ...STREAMED, faults: 'lossy' },
  'stream-power': { ...STREAMED, powerLosses: 3 },
  'stream-moves': {
    ...STREAMED,
    nodes: 5,
    spares: 1,
    operations: 36,
    changes: { count: 5, kinds: ['join', 'leave', 'replace', 'again', 'again'] },
  },
  // Items in shards and collections of their own; with an index, whose homes are others.
  'stream-scattered': {
    ...STREAMED,
    isCollection: false,
    nodes: 5,
    partitions: 4,
    keys: 5,
    operations: 40,
    indexes: { globals: 2, hasLocal: false, change: 'none', stream: { view: 'NEW_AND_OLD_IMAGES', shards: 2 } },
  },
  // Every append reads the end of the log, while others write to it.
  'stream-contended': {
    ...STREAMED,
    faults: 'stress',
    clients: 6,
    operations: 60,
    thinkMs: 5,
    mix: { ...STREAMED.mix, read: 0, rangeRead: 0, eventualRead: 0 },
    limits: { ...STREAMED.limits, cellChanges: 1, logHeadMs: 0, logCoveredMs: 0, outboxAgeMs: 40, outboxLaterMs: 40 },
  },
  'stream-rotting': { ...STREAMED, rots: true, limits: { ...STREAMED.limits, statesKept: 0 } },
  // Nobody writes for so long that all that may be purged is.
  'stream-quiet': {
    ...STREAM_PURGING,
    operations: 18,
    thinkMs: 1_600,
    lastsMs: 6_000,
    trimsAfterMs: 200,
  },
  'stream-lags': { ...STREAMED, lags: true, operations: 40, mix: { ...STREAMED.mix, eventualRead: 4 } },
  'stream-trim': { ...STREAM_PURGING, trimsAfterMs: 350 },
  'stream-mix': {
    ...STREAM_PURGING,
    nodes: 5,
    spares: 1,
    keys: 4,
    operations: 40,
    thinkMs: 120,
    powerLosses: 1,
    trimsAfterMs: 500,
    indexes: { globals: 2, hasLocal: true, change: 'add', stream: { view: 'NEW_AND_OLD_IMAGES', shards: 1 } },
    changes: { count: 3, kinds: ['join', 'leave', 'replace', 'again', 'absence'] },
  },
  // What transactions prepare is no change; what they settle is one of each item.
  'stream-transactions': {
    ...TRANSACTIONS,
    isCollection: true,
    indexes: { globals: 1, hasLocal: false, change: 'none', stream: { view: 'NEW_AND_OLD_IMAGES', shards: 1 } },
    limits: { ...TRANSACTIONS.limits, ...SETTLING, ...LOGGING },
    mix: { ...TRANSACTIONS.mix, touch: 1 },
  },
  'hosts-again': { ...HEALING, decidesByMembers: true, changes: { count: 3, kinds: ['again'] } },
  'hosts-moves': {
    ...FULL_MIX,
    mix: MIXED,
    nodes: 6,
    spares: 3,
    changes: { count: 5, kinds: ['join', 'leave', 'replace', 'again'] },
    decidesByMembers: true,
  },
  'hosts-stress': {
    ...FULL_MIX,
    mix: MIXED,
    nodes: 6,
    spares: 3,
    faults: 'stress',
    changes: { count: 6, kinds: ['join', 'leave', 'again'] },
    decidesByMembers: true,
  },
  'hosts-goal': GOAL,
  'hosts-stressed-goal': { ...GOAL, faults: 'stress', changes: { ...GOAL.changes, count: 6 } },
  'hosts-losses': {
    ...GOAL,
    nodes: 9,
    spares: 6,
    changes: { count: 8, kinds: ['lose', 'lose', 'replace', 'join', 'again'] },
  },
  'hosts-churn': {
    ...GOAL,
    nodes: 10,
    spares: 6,
    lastsMs: 2_500,
    operations: 24,
    thinkMs: 80,
    changes: { count: 10, kinds: ['join', 'leave', 'leave', 'shuffle', 'replace'] },
  },
  // One partition, which the goal is in, and many movers at it.
  'hosts-busy': {
    ...GOAL,
    partitions: 1,
    operations: 40,
    faults: 'stress',
    changes: { count: 10, kinds: ['again', 'again', 'shuffle', 'join', 'leave'] },
  },
  // Little but rounds in config registers, between nodes that are back at once, again and again.
  'hosts-flapping': {
    ...HEALING,
    nodes: 4,
    clients: 1,
    operations: 4,
    decidesByMembers: true,
    faults: 'flapping',
    changes: { count: 30, kinds: ['again'] },
  },
  'hosts-split': { ...GOAL, faults: 'split', changes: { ...GOAL.changes, count: 6 } },
  // Where two of five are lost, a round needs all that are left: with pauses that are shorter than a round, those who finish
  // what was left over would refuse one another for ever.
  'hosts-five': {
    ...GOAL,
    nodes: 10,
    spares: 5,
    replication: 5,
    writeQuorum: 3,
    changes: { ...GOAL.changes, count: 6 },
    limits: { ...HEALING_LIMITS, opLifeMs: 400, maxBackoffMs: 100 },
  },
  'hosts-one-copy': {
    ...GOAL,
    nodes: 6,
    spares: 4,
    replication: 1,
    writeQuorum: 1,
    changes: { count: 5, kinds: ['join', 'leave', 'shuffle', 'again'] },
  },
  founding: { ...BASE, founding: { hasTwins: false, livesOn: false } },
  'founding-twins': { ...BASE, founding: { hasTwins: true, livesOn: false } },
  // A cluster outlives the disks of all its founders.
  'founding-life': { ...BASE, founding: { hasTwins: false, livesOn: true } },
  'two-nodes': { ...BASE, nodes: 2, replication: 2, writeQuorum: 2 },
  transactions: TRANSACTIONS,
  'transactions-calm': { ...TRANSACTIONS, faults: 'calm' },
  'transactions-stress': { ...TRANSACTIONS, faults: 'stress' },
  'transactions-lossy': { ...TRANSACTIONS, faults: 'lossy' },
  'transactions-split': {
    ...TRANSACTIONS,
    faults: 'split',
    limits: { ...TRANSACTIONS.limits, phaseTimeoutMs: 25, suspectAfterMs: 30 },
  },
  'transactions-moves': {
    ...TRANSACTIONS,
    nodes: 5,
    spares: 1,
    changes: { count: 3, kinds: ['join', 'leave', 'replace', 'again', 'absence'] },
  },
  'transactions-lost-disk': { ...TRANSACTIONS, heals: false, losesDisk: true },
  'transactions-rot': { ...TRANSACTIONS, rots: true, limits: { ...TRANSACTIONS.limits, statesKept: 0 } },
  // Items are created by transactions, and deleted, and their tombstones purged meanwhile.
  'transactions-purges': {
    ...TRANSACTIONS,
    keys: 3,
    operations: 18,
    thinkMs: 250,
    purges: true,
    mix: { ...TRANSACTIONS.mix, delete: 5, conditionalDelete: 2 },
    limits: { ...PURGING_LIMITS, ...SETTLING, tokenKeptMs: 20_000 },
  },
  // Two items, many clients: they are in each other's way all the time.
  'transactions-crowd': { ...TRANSACTIONS, nodes: 3, partitions: 1, keys: 2, clients: 6, operations: 26, thinkMs: 10 },
  // Many read what few write, and half of all messages take their time.
  'transactions-reads': {
    ...TRANSACTIONS,
    keys: 2,
    clients: 7,
    operations: 60,
    thinkMs: 5,
    faults: 'stress',
    crashes: false,
    mix: { ...TRANSACTIONS.mix, put: 0, delete: 0, conditionalPut: 0, conditionalDelete: 0, read: 30, readTogether: 0 },
  },
  // Who leads gives up prepares whose coordinators go on; the items are written again soon.
  'transactions-late': {
    ...TRANSACTIONS,
    nodes: 3,
    partitions: 1,
    keys: 2,
    clients: 5,
    operations: 40,
    thinkMs: 10,
    faults: 'lossy',
    crashes: false,
    mix: { ...TRANSACTIONS.mix, put: 8, delete: 0, conditionalPut: 0, conditionalDelete: 0, readTogether: 0 },
  },
  'transactions-ranges': {
    ...TRANSACTIONS,
    isCollection: true,
    partitions: 1,
    nodes: 3,
    mix: { ...TRANSACTIONS.mix, rangeRead: 8, read: 2 },
  },
  'transactions-index': {
    ...TRANSACTIONS,
    isCollection: true,
    indexes: { globals: 2, hasLocal: true, change: 'none' },
    mix: { ...TRANSACTIONS.mix, read: 3, samePut: 1, indexQuery: 4, localQuery: 4 },
  },
} satisfies Record<string, Scenario>;

/**
 * Whether writes are judged as those of `dynamo` mode, of which the last one wins: they are all puts or deletes that ask for
 * nothing, or it is known which one is the last.
 */
export function isBlind({ consistency, mix, clocksAgree }: Scenario): boolean {
  return consistency === 'dynamo' && (clocksAgree || mix.conditionalPut + mix.conditionalDelete === 0);
}

export type ScenarioName = keyof typeof SCENARIOS;

export const SCENARIO_NAMES = Object.keys(SCENARIOS) as ScenarioName[];

/**
 * How many histories each other scenario has for one of a scenario with indexes or with a goal, which takes several times as
 * long.
 */
const TURNS = 4;

/** What a run of all scenarios takes in turn. */
export const SCENARIOS_IN_TURN: readonly ScenarioName[] = Array.from({ length: TURNS }, (_, turn) =>
  SCENARIO_NAMES.filter((name) => {
    const { indexes, hasGoal } = SCENARIOS[name] as Scenario;
    return turn === 0 || (indexes === undefined && !hasGoal);
  }),
).flat();
