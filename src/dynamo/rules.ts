/**
 * The rules of the protocol that the simulation switches off one at a time, to show that its checker notices
 * (docs/protocol.md section 6). Nothing else may switch one off: acknowledged writes could be lost.
 */
export interface Rules {
  /** A replica refuses ballots below what it may have promised before a restart (docs/protocol.md section 1.3). */
  readonly promisesSurviveRestart: boolean;
  /**
   * A record carries the ids of the operations it contains; a retry that finds its own id does not apply itself again.
   */
  readonly lineage: boolean;
  /** The id of a write that was handed back stays in lineages while another coordinator may carry on with it. */
  readonly remembersHandedBack: boolean;
  /** "Condition false" may be answered from a settled record only by an operation that never sent an accept. */
  readonly conditionFalseNeedsNoOwnAccept: boolean;
  /** A strong read that finds its newest record unproven runs an identity round. */
  readonly identityRound: boolean;
  /** Eventually consistent reads answer committed records only. */
  readonly readsCommittedOnly: boolean;
  /** An accept, and a write in `dynamo` mode, is flushed before it is acknowledged. */
  readonly flushBeforeAck: boolean;
  /** A majority is more than half of the home replicas; with this rule off, one replica. */
  readonly majorityQuorums: boolean;
  /** Rules of lag do not hold back records that are gathered for a new epoch. */
  readonly epochsPassLagGate: boolean;
  /** A node that starts issues ballots from the time of its clock, not from its ceiling. */
  readonly ballotsBeginAtClock: boolean;
  /**
   * In `dynamo` mode a coordinator waits until a ceiling ahead of its clock has passed, and issues no ballot above it.
   */
  readonly ceilingsAreWaitedFor: boolean;
  /** A node acts on the newest config that it knows, even if an older one arrives late. */
  readonly rowsNeverGoBack: boolean;
  /**
   * The node that leads a purge has had the tombstone for the grace by its own clock, whatever the date of the delete.
   */
  readonly graceFromOwnLearn: boolean;
  /**
   * A record that a rule of lag holds back is dropped when a newer one is committed, or the key is erased, as by a
   * purge.
   */
  readonly heldYields: boolean;
  /** A replica that cannot read a record of a key has no vote about the key until the newest record is restored. */
  readonly damagedHasNoVote: boolean;
  /** A damaged record is restored from so many other replicas that every majority has one of them. */
  readonly restoreMeetsEveryMajority: boolean;
  /** A committed record of a `dynamo` table is restored under its own ballot: a newer write out of reach still wins. */
  readonly restoredKeepsItsBallot: boolean;
  /** The rows of local indexes are written before the record that they are made of. */
  readonly rowsBeforeRecord: boolean;
  /** A strong read of a local index asks for the items whose newest record is not settled. */
  readonly unsettledAreNamed: boolean;
  /** They are named wherever the accepted record has its place in the index. */
  readonly unsettledWhateverRange: boolean;
  /** A strong read of a local index reads each item anew about which the replicas do not agree. */
  readonly candidatesAreRead: boolean;
  /** A merge of pages that are read backward ends at the highest of their last keys, not at the lowest. */
  readonly horizonFollowsOrder: boolean;
  /** What an item owes to its indexes is carried from record to record; with this rule off, only the place just left. */
  readonly owedIsCarried: boolean;
  /** A write that would owe more than the cap is refused; with this rule off, the oldest place is forgotten. */
  readonly capIsKept: boolean;
  /** A record that is chosen again takes up a newer derivation of its table. */
  readonly adoptionTakesDerivation: boolean;
  /** A round that a node begins by itself asks what is derived from the table, unless the record was chosen before. */
  readonly unsettledAskDerivation: boolean;
  /** A strong read that finds an item of an older derivation chooses it again, instead of sending its entries as it is. */
  readonly fillByIdentityRound: boolean;
  /** Entries are made of chosen records only, not of records that are sent to be accepted. */
  readonly settlesChosenOnly: boolean;
  /** What settles an item for another coordinator reads it strongly first, instead of taking its own committed record. */
  readonly finisherReadsStrongly: boolean;
  /** An entry has the ballot of the record that it is made of; with this rule off, that of the version, which may be old. */
  readonly entriesAreOfTheirRecord: boolean;
  /** An entry is confirmed by disks, not by memory. */
  readonly confirmsAreFlushed: boolean;
  /** An entry is confirmed by a majority of its home replicas, not by one. */
  readonly confirmsByMajority: boolean;
  /** The majority that confirms an entry is one of one epoch. */
  readonly confirmsOfOneEpoch: boolean;
  /** A sealed replica confirms no entry. */
  readonly confirmsUnsealedOnly: boolean;
  /** An item is marked as settled after its entries are confirmed, not before. */
  readonly marksFollowConfirms: boolean;
  /** The row of an item that is due is written with the item's record, not after it. */
  readonly outboxRowWithRecord: boolean;
  /** A tombstone of an item that owes something is not purged. */
  readonly purgeWaitsForOwed: boolean;
  /** A merge of pages ends at the nearest of their last keys; with this rule off, at the farthest. */
  readonly horizonIsNearest: boolean;
  /** A majority of the members of an epoch is sealed before the next one is prepared; with this rule off, one fewer. */
  readonly majoritySeals: boolean;
  /** A config is decided when a majority of its members has staged; with this rule off, one fewer. */
  readonly majorityStages: boolean;
  /** A config is decided when every newcomer has staged, too. */
  readonly newcomersStage: boolean;
  /** A config register of members decides for no attempt after which another was begun. */
  readonly lastAttemptDecides: boolean;
  /** A member begins an epoch with what it has staged for the attempt that was decided, and not for another one. */
  readonly beginsWithDecided: boolean;
  /** A node that leaves the cluster stays a member where it is one, for as long as nobody has taken its place. */
  readonly leaversStay: boolean;
  /** A record carries the changes of the records before it until they are in the log; with this rule off, only its own. */
  readonly changesAreCarried: boolean;
  /** A write that leaves its item as it is makes no change. */
  readonly sameIsNoChange: boolean;
  /** An appender leaves out the changes that the log has. */
  readonly loggedOnce: boolean;
  /** An appender leaves out changes of a time of which cells may have been trimmed. */
  readonly agedAreLeftOut: boolean;
  /** What one writer of a log has left out as too old, no later cell has. */
  readonly retentionIsHandedOn: boolean;
  /** A cell that was ever written is not written again. */
  readonly cellsAreWrittenOnce: boolean;
  /** An appender that does not know what became of a cell tries that one again, not the next one. */
  readonly lostCellIsTriedAgain: boolean;
  /** The end of a log is read twice: one reading of a range is no snapshot. */
  readonly logIsReadTwice: boolean;
  /** What is known of the end of a log is not used for longer than a minute. */
  readonly logHeadIsFresh: boolean;
  /** The newest cell of a log is never trimmed: the next appender finds by it where to go on. */
  readonly newestCellIsKept: boolean;
  /** A reader of a log that does not find its cell looks whether there are later ones. */
  readonly readerLooksFurther: boolean;
  /** A strong read of an item that a transaction has prepared asks the ledger what it is. */
  readonly readsAskLedger: boolean;
  /** A write does not go over what a transaction has prepared: that is settled first, or it is a conflict. */
  readonly pendingHolds: boolean;
  /** What an undecided transaction has prepared is cleared only when the ledger says that it is aborted. */
  readonly clearsByLedger: boolean;
  /** An item whose transaction the ledger does not know is read again before that is taken for aborted. */
  readonly goneIsReadAgain: boolean;
  /** An entry of the ledger is forgotten when no item has anything of its attempt any more, and not at once. */
  readonly forgetsSettledOnly: boolean;
  /** A write that prepares an item is tried once: what becomes of it unknown makes the attempt fail. */
  readonly preparesOnce: boolean;
  /** Items that are read together are read twice, and have to be the same. */
  readonly readsTogetherTwice: boolean;
  /** What follows from an item is derived when its transaction is committed, not when it is prepared. */
  readonly derivedWhenCommitted: boolean;
}

export const SOUND_RULES: Rules = {
  promisesSurviveRestart: true,
  lineage: true,
  remembersHandedBack: true,
  conditionFalseNeedsNoOwnAccept: true,
  identityRound: true,
  readsCommittedOnly: true,
  flushBeforeAck: true,
  majorityQuorums: true,
  epochsPassLagGate: true,
  ballotsBeginAtClock: true,
  ceilingsAreWaitedFor: true,
  rowsNeverGoBack: true,
  graceFromOwnLearn: true,
  heldYields: true,
  damagedHasNoVote: true,
  restoreMeetsEveryMajority: true,
  restoredKeepsItsBallot: true,
  rowsBeforeRecord: true,
  unsettledAreNamed: true,
  unsettledWhateverRange: true,
  candidatesAreRead: true,
  horizonFollowsOrder: true,
  owedIsCarried: true,
  capIsKept: true,
  adoptionTakesDerivation: true,
  unsettledAskDerivation: true,
  fillByIdentityRound: true,
  settlesChosenOnly: true,
  finisherReadsStrongly: true,
  entriesAreOfTheirRecord: true,
  confirmsAreFlushed: true,
  confirmsByMajority: true,
  confirmsOfOneEpoch: true,
  confirmsUnsealedOnly: true,
  marksFollowConfirms: true,
  outboxRowWithRecord: true,
  purgeWaitsForOwed: true,
  horizonIsNearest: true,
  majoritySeals: true,
  majorityStages: true,
  newcomersStage: true,
  lastAttemptDecides: true,
  beginsWithDecided: true,
  leaversStay: true,
  changesAreCarried: true,
  sameIsNoChange: true,
  loggedOnce: true,
  agedAreLeftOut: true,
  retentionIsHandedOn: true,
  cellsAreWrittenOnce: true,
  lostCellIsTriedAgain: true,
  logIsReadTwice: true,
  logHeadIsFresh: true,
  newestCellIsKept: true,
  readerLooksFurther: true,
  readsAskLedger: true,
  pendingHolds: true,
  clearsByLedger: true,
  goneIsReadAgain: true,
  forgetsSettledOnly: true,
  preparesOnce: true,
  readsTogetherTwice: true,
  derivedWhenCommitted: true,
};
