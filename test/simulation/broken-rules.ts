import type { Checks, Invariant } from '../../src/dynamo/invariants.ts';
import type { NodeLimits } from '../../src/dynamo/node-settings.ts';
import type { Rules } from '../../src/dynamo/rules.ts';
import type { Violation } from './checks.ts';
import type { FoundingDefects } from './founding-history.ts';
import type { GoalDefects } from './goal-membership.ts';
import {
  actingOnOwnAccept,
  countHeld,
  cutLineage,
  droppingAccepted,
  hideAccepted,
  hideDecided,
  hideGossip,
  hideHashes,
  hideMore,
  hidePromised,
  hideState,
  hideUncommitted,
  hidingSeal,
  ignoringEpochs,
  keepingNoHints,
  learningNothing,
  learningOnce,
  learningWhateverComes,
  lowerUpperBound,
  pagingFromTheLowerBound,
  promisingConfigsAgain,
  promisingNothing,
  sealingNothing,
  sometimesDeaf,
  stagingNothing,
  withCeilingTakenDown,
  withDoubledAnswersCounted,
  withOutboxInMemory,
  withoutAnswerToHints,
  withoutCeilingFlush,
  withoutDisks,
  withoutTombstones,
} from './sabotage.ts';
import type { ScenarioName } from './scenarios.ts';
import type { Sabotage } from './simulated-host.ts';
import type { Tampering } from './simulated-network.ts';

/** What is wrong with the system under test; nothing, but for the catalogue of broken rules. */
export interface Defects {
  /** Rules that the code itself can switch off. */
  readonly rules?: Partial<Rules>;
  readonly limits?: Partial<NodeLimits>;
  /** Which assertions are on; all by default. With `cheap` it is left to the judge to notice what is wrong. */
  readonly checks?: Checks;
  /** What goes wrong between a node and its disk, or at its door. */
  readonly sabotage?: Sabotage;
  /** What goes wrong with messages; made anew for each history, since it may keep state. */
  readonly tampering?: () => Tampering;
  /** Background repair spreads the newest record a replica has, chosen or not. */
  readonly repairsUnchosen?: boolean;
  /** Whoever carries on with a write that was handed back takes it for a new one. */
  readonly forgetsHandedBack?: boolean;
  /** Whoever keeps the config register tells nobody what is decided. */
  readonly tellsNobody?: boolean;
  /** The config register decides for an attempt although a later one was begun. */
  readonly decidesAnyAttempt?: boolean;
  /** What is wrong with the goal, and with those who leave. */
  readonly goal?: GoalDefects;
  /** What is wrong with how a cluster is founded. */
  readonly founding?: FoundingDefects;
  /** A host whose disk was replaced votes as if it were the old one. */
  readonly emptyDiskVotes?: boolean;
  /** A new index is filled while rounds by what was derived before may go on. */
  readonly fillsAtOnce?: boolean;
  /** A disk that was wiped is taken for the one that it was: configs that named that one name it. */
  readonly emptyDiskKeepsId?: boolean;
}

export interface BrokenRule {
  /** The rule, and where docs/protocol.md has it. */
  readonly rule: string;
  readonly defects: Defects;
  /** Where its loss shows soonest. */
  readonly scenario: ScenarioName;
  /** How the checker sees it, in the end: that nothing fails for another reason only. */
  readonly shows: Violation['kind'];
  /** The invariant whose assertion in the code notices the loss, if there is one. */
  readonly asserts?: Invariant;
  /** It must show within so many histories from seed 1. */
  readonly histories: number;
}

/** For a sabotage that changes the disk behind the node's back: the node looks there each time. */
const WITHOUT_MEMORY: Partial<NodeLimits> = { statesKept: 0 };

/**
 * One rule of the protocol each that does not hold. The checker must notice: a simulation that finds nothing with a rule
 * missing would find nothing without it either.
 */
export const BROKEN_RULES = {
  'volatile-promises': {
    rule: 'a restart refuses ballots that may have been promised before it (I2)',
    defects: { rules: { promisesSurviveRestart: false } },
    scenario: 'low-ceiling',
    shows: 'invariant',
    histories: 20_000,
  },
  'ceiling-not-flushed': {
    rule: 'the ceiling is on disk before a promise under it is given (protocol.md section 2.1)',
    defects: { sabotage: { store: withoutCeilingFlush } },
    scenario: 'low-ceiling',
    shows: 'invariant',
    histories: 20_000,
  },
  'ceiling-taken-too-low': {
    rule: 'a node that is stopped in order keeps a ceiling above all that it has promised (protocol.md section 2.5)',
    defects: { sabotage: { store: withCeilingTakenDown } },
    scenario: 'stops',
    shows: 'invariant',
    histories: 10_000,
  },
  'no-promises': {
    rule: 'a replica that promised a ballot refuses lower ones (protocol.md section 2.2)',
    defects: { sabotage: { receive: promisingNothing } },
    scenario: 'mixed',
    shows: 'not-linearizable',
    asserts: 'docs/protocol.md I3',
    histories: 5_000,
  },
  'promises-tell-nothing': {
    rule: 'a promise tells what was accepted and committed by then (protocol.md section 2.1)',
    defects: { tampering: () => ({ reply: hideState }) },
    scenario: 'mixed',
    shows: 'not-linearizable',
    histories: 500,
  },
  'no-lineage': {
    rule: 'a retry that finds its own operation in the newest record does not apply it again (counterexample 2, I6)',
    defects: { rules: { lineage: false } },
    scenario: 'mixed',
    shows: 'not-linearizable',
    asserts: 'docs/protocol.md I6',
    histories: 2_000,
  },
  'lineage-cut-short': {
    rule: 'an operation stays in the lineage for as long as its coordinator may look for it (counterexample 12)',
    defects: { tampering: () => ({ request: cutLineage }) },
    scenario: 'mixed',
    shows: 'not-linearizable',
    histories: 5_000,
  },
  'handed-back-anew': {
    rule: 'a write that was handed back keeps its id and what its attempts would have answered (counterexample 25)',
    defects: { forgetsHandedBack: true },
    scenario: 'cut-off',
    shows: 'not-linearizable',
    histories: 5_000,
  },
  'handed-back-forgotten': {
    rule: 'a coordinator that hands a write back keeps its id in lineages while another carries on (counterexample 26)',
    defects: { rules: { remembersHandedBack: false } },
    scenario: 'cut-off',
    shows: 'not-linearizable',
    histories: 60_000,
  },
  'condition-false-shortcut': {
    rule: '"condition false" is answered without a round only if no accept was sent (counterexample 7, I7)',
    defects: { rules: { conditionFalseNeedsNoOwnAccept: false } },
    scenario: 'contended',
    shows: 'not-linearizable',
    histories: 30_000,
  },
  'no-identity-round': {
    rule: 'a strong read proves its record chosen before it shows it (counterexample 4)',
    defects: { rules: { identityRound: false } },
    scenario: 'mixed',
    shows: 'not-linearizable',
    histories: 1_000,
  },
  'reads-show-accepted': {
    rule: 'an eventually consistent read shows committed records only (protocol.md section 3.5)',
    defects: { rules: { readsCommittedOnly: false } },
    scenario: 'one-copy',
    shows: 'dirty-read',
    histories: 2_000,
  },
  'repair-of-unchosen': {
    rule: 'repair carries chosen records only (counterexample 6, I5)',
    defects: { repairsUnchosen: true },
    scenario: 'mixed',
    shows: 'invariant',
    histories: 1_000,
  },
  'acknowledged-before-flush': {
    rule: 'an accepted record is on disk before the acknowledgement (protocol.md section 1.3)',
    defects: { rules: { flushBeforeAck: false } },
    scenario: 'stress',
    shows: 'not-linearizable',
    histories: 5_000,
  },
  'one-is-a-majority': {
    rule: 'quorums are more than half of the home replicas (protocol.md section 3.2)',
    defects: { rules: { majorityQuorums: false } },
    scenario: 'mixed',
    shows: 'not-linearizable',
    histories: 100,
  },
  'doubled-answers-count': {
    rule: 'a replica that answers twice counts once (protocol.md section 3.1)',
    defects: { tampering: withDoubledAnswersCounted },
    scenario: 'mixed',
    shows: 'not-linearizable',
    histories: 1_000,
  },
  'learn-steps-back': {
    rule: 'of two chosen records a replica keeps the one with the greater ballot (protocol.md section 2.3)',
    defects: { sabotage: { receive: learningWhateverComes }, limits: WITHOUT_MEMORY },
    scenario: 'mixed',
    shows: 'not-linearizable',
    histories: 1_000,
  },
  'learn-not-kept': {
    rule: 'a copy counts towards W once the replica holds it (protocol.md section 3.6)',
    defects: { sabotage: { receive: learningNothing } },
    scenario: 'reads-of-one',
    shows: 'stale-read',
    histories: 500,
  },
  'learn-keeps-first': {
    rule: 'replicas that exchange what they have committed agree in the end (I5)',
    defects: { sabotage: { receive: learningOnce } },
    scenario: 'mixed',
    shows: 'diverged',
    histories: 500,
  },
  'ballots-from-clock-only': {
    rule: 'a fresh ballot is above every ballot seen (protocol.md section 3.1)',
    defects: { tampering: () => ({ reply: hidePromised }) },
    scenario: 'stress',
    shows: 'unavailable',
    histories: 2_000,
  },
  'learn-drops-newer': {
    rule: 'learning a record drops an accepted one only if that is not newer (protocol.md section 2.3)',
    defects: { sabotage: { receive: droppingAccepted }, limits: WITHOUT_MEMORY },
    scenario: 'mixed',
    shows: 'not-linearizable',
    histories: 5_000,
  },
  'range-ends-early': {
    rule: 'a range read goes on until no replica has more (protocol.md section 3.5)',
    defects: { tampering: () => ({ reply: hideMore }) },
    scenario: 'long-collection',
    shows: 'not-linearizable',
    histories: 500,
  },
  'horizon-of-the-other-end': {
    rule: 'a range read takes nothing from behind the first end of a page, in its own order (protocol.md section 3.5)',
    defects: { rules: { horizonFollowsOrder: false } },
    scenario: 'ordered-collection',
    shows: 'not-linearizable',
    histories: 2_000,
  },
  'horizon-left-out': {
    rule: 'a range read takes nothing from behind the nearest end of a page that was full (protocol.md section 3.5)',
    defects: { rules: { horizonIsNearest: false } },
    scenario: 'ordered-collection',
    shows: 'not-linearizable',
    histories: 2_000,
  },
  'ranges-name-committed-keys': {
    rule: 'a strong range read is told of keys of which nothing is committed yet (protocol.md section 3.5)',
    defects: { tampering: () => ({ reply: hideUncommitted }) },
    scenario: 'ordered-collection',
    shows: 'not-linearizable',
    histories: 2_000,
  },
  'ranges-show-committed': {
    rule: 'a strong range read is told what is accepted of each key (protocol.md section 3.5)',
    defects: { tampering: () => ({ reply: hideAccepted }) },
    scenario: 'ordered-collection',
    shows: 'not-linearizable',
    histories: 2_000,
  },
  'page-of-the-other-end': {
    rule: 'a page that is read backward begins at the upper bound of its range (protocol.md section 3.5)',
    defects: { sabotage: { receive: pagingFromTheLowerBound } },
    scenario: 'ordered-collection',
    shows: 'not-linearizable',
    histories: 100,
  },
  'upper-bound-left-out': {
    rule: 'a range ends where it is said to, its upper bound with it if that is inclusive (protocol.md section 3.5)',
    defects: { tampering: () => ({ request: lowerUpperBound }) },
    scenario: 'ordered-collection',
    shows: 'not-linearizable',
    histories: 100,
  },
  'empty-disk-votes': {
    rule: 'a disk that was wiped has no vote (counterexamples 9 and 12, I9)',
    defects: { emptyDiskVotes: true },
    scenario: 'lost-disk',
    shows: 'not-linearizable',
    histories: 5_000,
  },
  'replaced-disk-votes': {
    rule: 'a replaced disk votes again only when a config names it (I9)',
    defects: { emptyDiskVotes: true },
    scenario: 'replaced',
    shows: 'not-linearizable',
    histories: 5_000,
  },
  'wiped-disk-keeps-its-id': {
    rule: 'a config names disks, not nodes: one that was wiped is named by none (counterexample 9, I9)',
    defects: { emptyDiskKeepsId: true },
    scenario: 'replaced',
    shows: 'not-linearizable',
    histories: 5_000,
  },
  'sealed-goes-on': {
    rule: 'a sealed member takes part in nothing more of that epoch (protocol.md section 8.3)',
    defects: { sabotage: { receive: sealingNothing } },
    scenario: 'again',
    shows: 'invariant',
    histories: 10_000,
  },
  'staged-nothing': {
    rule: 'a new epoch begins with what the sealed members had accepted (I8)',
    defects: { sabotage: { receive: stagingNothing } },
    scenario: 'again',
    shows: 'invariant',
    histories: 5_000,
  },
  'superseded-attempt-decides': {
    rule: 'an attempt decides nothing once a later one was begun: its stages may be gone (I13)',
    defects: { decidesAnyAttempt: true },
    scenario: 'again',
    shows: 'invariant',
    histories: 5_000,
  },
  'epochs-ignored': {
    rule: 'a replica refuses rounds of another epoch than its own (counterexample 8)',
    defects: { sabotage: { receive: ignoringEpochs } },
    scenario: 'again',
    shows: 'invariant',
    histories: 10_000,
  },
  'late-activate-counts': {
    rule: 'a row never goes back: a node that was sealed in an epoch and has left has no vote in it again (I12)',
    defects: { rules: { rowsNeverGoBack: false } },
    scenario: 'late-epochs',
    shows: 'invariant',
    asserts: 'docs/protocol.md I12',
    histories: 500,
  },
  'never-compared': {
    rule: 'replicas find by their Merkle trees what nothing else has brought (protocol.md section 3.9)',
    defects: { tampering: () => ({ reply: hideHashes }) },
    scenario: 'replaced',
    shows: 'not-healed',
    histories: 5_000,
  },
  'purged-at-once': {
    rule: 'a tombstone is purged when nothing older can arrive any more (protocol.md section 9.1)',
    // What protects it is both: its age, and the wait for messages that are on their way.
    defects: { limits: { tombstoneGraceMs: 1, messageLifeMs: 0, purgeIntervalMs: 20 } },
    scenario: 'tombstones',
    shows: 'not-linearizable',
    histories: 1_000,
  },
  'purged-on-confirmation': {
    rule: 'between the confirmation of a tombstone and its purge lies the life of a message (counterexample 15)',
    defects: { limits: { messageLifeMs: 0 } },
    scenario: 'laggards',
    shows: 'lost-write',
    histories: 3_000,
  },
  'tombstones-not-kept': {
    rule: 'a replica keeps a tombstone until all have it (counterexample 12)',
    defects: { sabotage: { store: withoutTombstones }, limits: WITHOUT_MEMORY },
    scenario: 'tombstones',
    shows: 'not-linearizable',
    histories: 5_000,
  },
  'never-finished': {
    rule: 'what was accepted and is not asked for again is settled all the same (protocol.md section 3.8)',
    defects: { limits: { finishIntervalMs: 1_000_000 } },
    scenario: 'healing-stress',
    shows: 'not-healed',
    histories: 1_000,
  },
  'no-gossip': {
    rule: 'a node that was away hears of the epochs it has missed (protocol.md section 8.2)',
    defects: { tampering: () => ({ reply: hideGossip }), tellsNobody: true },
    scenario: 'leaves',
    shows: 'not-healed',
    histories: 5_000,
  },
  'held-copies-count': {
    rule: 'what a rule of lag holds back does not count towards W (protocol.md section 3.6)',
    defects: { tampering: () => ({ reply: countHeld }) },
    scenario: 'lagging-quorums',
    shows: 'stale-read',
    histories: 5_000,
  },
  'held-in-memory-counts': {
    rule: 'what is held back is in memory, so in dynamo mode it is not written (counterexample 30)',
    defects: { tampering: () => ({ reply: countHeld }) },
    scenario: 'lagging-dynamo',
    shows: 'lost-write',
    histories: 5_000,
  },
  'epochs-held-back': {
    rule: 'a new epoch begins with all that was chosen, whatever rules hold back (I8)',
    defects: { rules: { epochsPassLagGate: false } },
    scenario: 'lagging-again',
    shows: 'invariant',
    histories: 5_000,
  },
  'damaged-counts-as-absent': {
    rule: 'a replica that cannot read a record has no vote about its key (I11)',
    defects: { rules: { damagedHasNoVote: false } },
    scenario: 'rotting',
    shows: 'not-linearizable',
    histories: 1_000,
  },
  'restored-from-anybody': {
    rule: 'what a disk forgot is restored from so many others that each majority has one of them (protocol.md section 10)',
    defects: { rules: { restoreMeetsEveryMajority: false } },
    scenario: 'rotting',
    shows: 'not-linearizable',
    histories: 2_000,
  },
  'restored-anew': {
    rule: 'a committed record of a dynamo table is restored under its own ballot (counterexample 33)',
    defects: { rules: { restoredKeepsItsBallot: false } },
    scenario: 'rotting-dynamo-five',
    shows: 'lost-write',
    histories: 200,
  },
  'owes-the-last-place-only': {
    rule: 'a record carries every place where an entry of its item may be left (protocol.md section 14.1)',
    defects: { rules: { owedIsCarried: false } },
    scenario: 'index',
    shows: 'wrong-index',
    histories: 300,
  },
  'owes-no-more-than-fits': {
    rule: 'a write whose record would owe too many places is refused, and forgets none (protocol.md section 14.1)',
    defects: { rules: { capIsKept: false }, limits: { owedKept: 1 } },
    scenario: 'index-held',
    shows: 'wrong-index',
    histories: 50,
  },
  'settled-before-chosen': {
    rule: 'entries are made of chosen records only (protocol.md section 14.3)',
    defects: { rules: { settlesChosenOnly: false } },
    scenario: 'index',
    shows: 'invariant',
    histories: 20,
  },
  'settled-as-it-is-here': {
    rule: 'a member that settles an item reads it strongly before (protocol.md section 14.3)',
    defects: { rules: { finisherReadsStrongly: false } },
    scenario: 'index-outage',
    shows: 'invariant',
    histories: 150,
  },
  'entries-dated-as-their-version': {
    rule: 'an entry has the ballot of the record that it is made of (protocol.md section 14.3)',
    defects: { rules: { entriesAreOfTheirRecord: false } },
    scenario: 'index',
    shows: 'invariant',
    histories: 50,
  },
  'entries-unflushed': {
    rule: 'an entry is confirmed by members whose disks have it (protocol.md section 14.3)',
    defects: { rules: { confirmsAreFlushed: false } },
    scenario: 'index',
    shows: 'invariant',
    histories: 20,
  },
  'one-entry-is-enough': {
    rule: 'an entry is confirmed by a majority of its home replicas (protocol.md section 14.3)',
    defects: { rules: { confirmsByMajority: false } },
    scenario: 'index',
    shows: 'invariant',
    histories: 20,
  },
  'sealed-members-confirm': {
    rule: 'a sealed member does not confirm an entry: the next epoch may begin without it (protocol.md section 14.3)',
    defects: { rules: { confirmsUnsealedOnly: false } },
    scenario: 'index-moves',
    shows: 'invariant',
    histories: 100,
  },
  'marked-before-confirmed': {
    rule: 'an item is marked as settled when its entries are confirmed (protocol.md section 14.3)',
    defects: { rules: { marksFollowConfirms: false } },
    scenario: 'index',
    shows: 'invariant',
    histories: 20,
  },
  'outbox-in-memory': {
    rule: 'what is owed is on the disk as soon as the record that owes it (protocol.md section 14.3)',
    defects: { sabotage: { store: withOutboxInMemory } },
    scenario: 'index-power',
    shows: 'wrong-index',
    histories: 300,
  },
  'answered-before-entries': {
    rule: 'where nothing fails, a write is answered when queries of indexes show it (protocol.md section 14.3)',
    defects: { limits: { entryWaitMs: 1 } },
    scenario: 'index-calm',
    shows: 'stale-read',
    histories: 200,
  },
  'purged-while-owing': {
    rule: 'a tombstone is kept for as long as it owes something to an index (protocol.md section 14.3)',
    defects: { rules: { purgeWaitsForOwed: false } },
    scenario: 'index-held',
    shows: 'invariant',
    histories: 120,
  },
  'chosen-again-as-derived-before': {
    rule: 'a record that is chosen again takes up the newest derivation (protocol.md section 14.4)',
    defects: { rules: { adoptionTakesDerivation: false } },
    scenario: 'index-added',
    shows: 'wrong-index',
    histories: 80,
  },
  'filled-by-reading': {
    rule: 'back-fill chooses an item again before it makes entries of it (protocol.md section 14.4)',
    defects: { rules: { fillByIdentityRound: false } },
    scenario: 'index-added',
    shows: 'wrong-index',
    histories: 80,
  },
  'filled-at-once': {
    rule: 'back-fill begins when no round by the older derivation can choose anything any more (protocol.md section 14.4)',
    defects: { fillsAtOnce: true },
    scenario: 'index-added-early',
    shows: 'wrong-index',
    histories: 600,
  },
  'entries-purged-at-once': {
    rule: 'a tombstone of an entry is purged when nothing older can arrive any more (protocol.md section 9.1)',
    defects: { limits: { tombstoneGraceMs: 1, messageLifeMs: 0, purgeIntervalMs: 20 } },
    scenario: 'index-purges',
    shows: 'wrong-index',
    histories: 400,
  },
  'unsettled-not-named': {
    rule: 'a strong read of a local index asks about items that are not settled (protocol.md section 14.6)',
    defects: { rules: { unsettledAreNamed: false } },
    scenario: 'local',
    shows: 'not-linearizable',
    histories: 1_000,
  },
  'unsettled-of-the-range-only': {
    rule: 'an unsettled item is named wherever its accepted record has its place (protocol.md section 14.6)',
    defects: { rules: { unsettledWhateverRange: false } },
    scenario: 'local-contended',
    shows: 'not-linearizable',
    histories: 400,
  },
  'local-horizon-left-out': {
    rule: 'a read of a local index takes nothing from behind the nearest end of a full page (protocol.md section 14.6)',
    defects: { rules: { horizonIsNearest: false } },
    scenario: 'local-behind',
    shows: 'not-linearizable',
    histories: 200,
  },
  'candidates-not-read': {
    rule: 'a strong read of a local index reads what replicas do not agree on (protocol.md section 14.6)',
    defects: { rules: { candidatesAreRead: false } },
    scenario: 'local',
    shows: 'not-linearizable',
    histories: 700,
  },
  'rows-after-records': {
    rule: 'a row of a local index is written before its record (protocol.md section 14.5)',
    defects: { rules: { rowsBeforeRecord: false } },
    scenario: 'local-stress',
    shows: 'wrong-index',
    histories: 300,
  },
  'own-change-only': {
    rule: 'a record carries the changes of the records before it (protocol.md section 18.1)',
    defects: { rules: { changesAreCarried: false } },
    scenario: 'stream',
    shows: 'wrong-stream',
    histories: 100,
  },
  'same-is-a-change': {
    rule: 'a write that leaves its item as it is makes no change (protocol.md section 18.1)',
    defects: { rules: { sameIsNoChange: false } },
    scenario: 'stream',
    shows: 'wrong-stream',
    histories: 50,
  },
  'logged-again': {
    rule: 'an appender leaves out what the log has (protocol.md section 18.3)',
    defects: { rules: { loggedOnce: false } },
    scenario: 'stream',
    shows: 'wrong-stream',
    histories: 50,
  },
  'cell-written-over': {
    rule: 'a cell is written once (protocol.md section 18.3)',
    defects: { rules: { cellsAreWrittenOnce: false } },
    scenario: 'stream',
    shows: 'wrong-stream',
    histories: 50,
  },
  'cell-left-open': {
    rule: 'an appender that does not know of a cell tries the same again (protocol.md section 18.3)',
    defects: { rules: { lostCellIsTriedAgain: false } },
    scenario: 'stream-lossy',
    shows: 'wrong-stream',
    histories: 400,
  },
  'old-head': {
    rule: 'what is known of the end of a log grows old (protocol.md section 18.3)',
    defects: { rules: { logHeadIsFresh: false } },
    scenario: 'stream-quiet',
    shows: 'wrong-stream',
    histories: 1_000,
  },
  'newest-cell-trimmed': {
    rule: 'the newest cell is never trimmed (protocol.md section 18.4)',
    defects: { rules: { newestCellIsKept: false } },
    scenario: 'stream-quiet',
    shows: 'wrong-stream',
    histories: 1_000,
  },
  'aged-change': {
    rule: 'what was trimmed is not appended again (protocol.md section 18.4)',
    defects: { rules: { agedAreLeftOut: false } },
    scenario: 'stream-trim',
    shows: 'wrong-stream',
    histories: 1_000,
  },
  'reader-of-one-cell': {
    rule: 'a reader that misses its cell looks for later ones (protocol.md section 18.4)',
    defects: { rules: { readerLooksFurther: false } },
    scenario: 'stream-quiet',
    shows: 'wrong-stream',
    histories: 1000,
  },
  'chance-of-its-own': {
    rule: 'everything that happens follows from the seed (docs/simulation.md)',
    defects: { sabotage: { receive: sometimesDeaf } },
    scenario: 'mixed',
    shows: 'not-repeatable',
    histories: 20,
  },
  'blind-write-not-flushed': {
    rule: 'a write in dynamo mode is on disk where it is acknowledged (protocol.md section 9.2)',
    defects: { rules: { flushBeforeAck: false } },
    scenario: 'dynamo',
    shows: 'lost-write',
    histories: 5_000,
  },
  'ballots-begin-at-ceiling': {
    rule: 'the ceiling bounds promises, not ballots: in dynamo mode what is written is not dated ahead (I16)',
    defects: { rules: { ballotsBeginAtClock: false } },
    scenario: 'dynamo-in-order',
    shows: 'lost-write',
    histories: 2_000,
  },
  'ballots-above-ceilings': {
    rule: 'in dynamo mode no write goes above a ceiling that is ahead of the clock (I16)',
    defects: { rules: { ceilingsAreWaitedFor: false } },
    scenario: 'dynamo-in-order',
    shows: 'lost-write',
    histories: 2_000,
  },
  'sealed-copies-count': {
    rule: 'a copy that comes to a sealed member may be too late for the next epoch (I15)',
    defects: { sabotage: { receive: hidingSeal } },
    scenario: 'dynamo-epochs',
    shows: 'lost-write',
    histories: 1_000,
  },
  'hints-not-kept': {
    rule: 'a substitute that has answered keeps the record for the home replica (protocol.md section 9.2)',
    defects: { sabotage: { receive: keepingNoHints } },
    scenario: 'dynamo-two-copies',
    shows: 'lost-write',
    histories: 2_000,
  },
  'no-substitutes': {
    rule: 'in dynamo mode a write succeeds as long as any node lives (protocol.md section 9.2)',
    defects: { sabotage: { receive: withoutAnswerToHints } },
    scenario: 'dynamo-split',
    shows: 'unavailable',
    histories: 2_000,
  },
  'attempts-not-chosen': {
    rule: 'an attempt is chosen before anything is sealed or staged (counterexample 43)',
    defects: { goal: { attemptsAreNotChosen: true }, rules: { lastAttemptDecides: false } },
    scenario: 'hosts-busy',
    shows: 'unfounded',
    histories: 100,
  },
  'ended-attempts-decide': {
    rule: 'members decide for no attempt after which another was begun (counterexample 43)',
    defects: { rules: { lastAttemptDecides: false } },
    scenario: 'hosts-busy',
    shows: 'unfounded',
    histories: 100,
  },
  'own-view-is-decided': {
    rule: 'a round keeps what may be decided already (counterexample 44)',
    defects: { tampering: () => ({ reply: hideDecided }) },
    scenario: 'hosts-busy',
    shows: 'fork',
    histories: 300,
  },
  'acts-on-its-own-accept': {
    rule: 'nobody acts on a config that he has accepted: a majority has to have it (counterexample 45)',
    defects: { sabotage: { receive: actingOnOwnAccept }, checks: 'cheap' },
    scenario: 'hosts-busy',
    shows: 'fork',
    histories: 50,
  },
  'ballots-without-disk': {
    rule: 'a ballot of a config register is of one disk and one boot (counterexample 53)',
    defects: { sabotage: { receive: promisingConfigsAgain }, tampering: () => ({ request: withoutDisks }) },
    scenario: 'hosts-busy',
    shows: 'unfounded',
    histories: 500,
  },
  'one-seal-too-few': {
    rule: 'a majority of an epoch is sealed before the next one is staged (protocol.md section 8.2)',
    defects: { rules: { majoritySeals: false } },
    scenario: 'hosts-busy',
    shows: 'invariant',
    histories: 500,
  },
  'one-stage-too-few': {
    rule: 'a config is decided when a majority of its members has staged (protocol.md section 8.2)',
    defects: { rules: { majorityStages: false, newcomersStage: false } },
    scenario: 'hosts-busy',
    shows: 'unfounded',
    histories: 100,
  },
  'newcomers-not-staged': {
    rule: 'a config is decided when every newcomer has staged, not a majority alone (counterexample 50)',
    defects: { rules: { newcomersStage: false } },
    scenario: 'hosts-losses',
    shows: 'unfounded',
    histories: 100,
  },
  'members-by-name': {
    rule: 'acceptors of a config register are disks, not names (counterexample 47)',
    defects: { emptyDiskKeepsId: true },
    scenario: 'hosts-moves',
    shows: 'invariant',
    histories: 300,
  },
  'leaves-at-once': {
    rule: 'a node that the goal names no more stays for as long as a config may count on it (protocol.md section 8.7)',
    defects: { goal: { leavesAtOnce: true } },
    scenario: 'hosts-churn',
    shows: 'not-healed',
    histories: 200,
  },
  'comes-back': {
    rule: 'a disk that has left is never taken in again (counterexample 49)',
    defects: { goal: { comesBack: true } },
    scenario: 'hosts-churn',
    shows: 'not-healed',
    histories: 500,
  },
  'leavers-refuse-all': {
    rule: 'a node that leaves stays a member where it is one (counterexample 46)',
    defects: { rules: { leaversStay: false } },
    scenario: 'hosts-churn',
    shows: 'not-healed',
    histories: 500,
  },
  'goal-by-hearsay': {
    rule: 'a mover reads the goal strongly: what tells of a change may be lost (counterexample 52)',
    defects: { goal: { goalIsHearsay: true } },
    scenario: 'hosts-goal',
    shows: 'not-healed',
    histories: 50,
  },
  'whoever-is-there-founds': {
    rule: 'a cluster is founded by all founders, and not by those that are there (counterexample 51)',
    defects: { founding: { rules: { allFound: false } } },
    scenario: 'founding-twins',
    shows: 'two-clusters',
    histories: 1_000,
  },
  'binding-released-by-another': {
    rule: 'a disk that is bound is let go by the disk that has bound it alone (counterexample 51)',
    defects: { founding: { rules: { bindingIsOfDisk: false } } },
    scenario: 'founding-twins',
    shows: 'two-clusters',
    histories: 20_000,
  },
  'command-founds': {
    rule: 'the right to found lies on the disk, and not in the command that starts it (counterexample 51)',
    defects: { founding: { commandFounds: true } },
    scenario: 'founding-life',
    shows: 'two-clusters',
    histories: 5_000,
  },
  'reads-pass-the-ledger': {
    rule: 'a strong read of an item that a transaction has prepared asks the ledger (protocol.md section 17.3)',
    defects: { rules: { readsAskLedger: false } },
    scenario: 'transactions',
    shows: 'not-linearizable',
    histories: 500,
  },
  'written-over-pending': {
    rule: 'no write goes over what a transaction has prepared (protocol.md section 17.3)',
    defects: { rules: { pendingHolds: false } },
    scenario: 'transactions',
    shows: 'not-linearizable',
    histories: 500,
  },
  'cleared-without-the-ledger': {
    rule: 'what is prepared is cleared only once the ledger says that it is aborted (protocol.md section 17.3)',
    defects: { rules: { clearsByLedger: false } },
    scenario: 'transactions-stress',
    shows: 'not-linearizable',
    histories: 5_000,
  },
  'gone-is-aborted': {
    rule: 'an item whose transaction the ledger does not know is read again (protocol.md section 17.3)',
    defects: { rules: { goneIsReadAgain: false } },
    scenario: 'transactions-reads',
    shows: 'not-linearizable',
    histories: 5_000,
  },
  'ledger-forgotten-early': {
    rule: 'an entry of the ledger goes when no item has anything of its transaction any more (protocol.md section 17.4)',
    defects: { rules: { forgetsSettledOnly: false } },
    scenario: 'transactions',
    shows: 'not-linearizable',
    histories: 2_000,
  },
  'prepared-twice': {
    rule: 'an item is prepared once: if the outcome is not known, the transaction is aborted (protocol.md section 17.2)',
    defects: { rules: { preparesOnce: false } },
    scenario: 'transactions-late',
    shows: 'not-linearizable',
    histories: 5_000,
  },
  'read-together-once': {
    rule: 'items that are read together are read twice, and are the same (protocol.md section 17.5)',
    defects: { rules: { readsTogetherTwice: false } },
    scenario: 'transactions',
    shows: 'not-linearizable',
    histories: 500,
  },
  'derived-when-prepared': {
    rule: 'what follows from an item is derived when its transaction is committed (protocol.md section 17.1)',
    defects: { rules: { derivedWhenCommitted: false } },
    scenario: 'transactions-index',
    shows: 'wrong-index',
    histories: 500,
  },
} satisfies Record<string, BrokenRule>;

export type BrokenRuleName = keyof typeof BROKEN_RULES;
