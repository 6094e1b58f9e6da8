/**
 * The rules of the register that the simulation switches off one at a time, to show that its checker notices
 * (docs/protocol.md section 6). Nothing else may: with any of them off, acknowledged writes can vanish.
 */
export interface Rules {
  /** A replica refuses ballots below what it may have promised before a restart (docs/protocol.md section 1.3). */
  readonly promisesSurviveRestart: boolean;
  /** A record carries the ids of the operations it contains; a retry that finds itself does not apply twice. */
  readonly lineage: boolean;
  /** The id of a write that was handed back stays in lineages while another coordinator may carry on with it. */
  readonly remembersHandedBack: boolean;
  /** "Condition false" is answered from a settled record only if this operation never sent an accept. */
  readonly conditionFalseNeedsNoOwnAccept: boolean;
  /** A strong read that finds its newest record unproven runs an identity round. */
  readonly identityRound: boolean;
  /** Eventually consistent reads answer committed records only. */
  readonly readsCommittedOnly: boolean;
  /** An accept, and a write in `dynamo` mode, is flushed before it is acknowledged. */
  readonly flushBeforeAck: boolean;
  /** A majority is more than half of the home replicas; else one is taken for enough. */
  readonly majorityQuorums: boolean;
  /** What is gathered for a new epoch is not held back by rules of lag. */
  readonly epochsPassLagGate: boolean;
  /** A node that starts takes its ballots from its clock, not from its ceiling. */
  readonly ballotsBeginAtClock: boolean;
  /** In `dynamo` mode no ballot is above a ceiling that is ahead of the clock. */
  readonly ceilingsAreWaitedFor: boolean;
  /** A node acts on the newest config that it knows of, however late it hears of another. */
  readonly rowsNeverGoBack: boolean;
  /** Who leads the purge of a tombstone has had it for the grace by its own clock, whatever the date of the delete. */
  readonly graceFromOwnLearn: boolean;
  /** What a rule of lag holds back is dropped when a newer record is committed or erased, as by a purge. */
  readonly heldYields: boolean;
  /** A replica that cannot read a record of a key has no say about the key until the newest one was brought. */
  readonly damagedHasNoVote: boolean;
  /** What is brought in its place is the newest of so many others that each majority has one among them. */
  readonly restoreMeetsEveryMajority: boolean;
  /** A merge of pages that are read backward ends at the highest of their last keys, not at the lowest. */
  readonly horizonFollowsOrder: boolean;
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
  horizonFollowsOrder: true,
};
