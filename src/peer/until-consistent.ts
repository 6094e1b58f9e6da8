import type { RepairReport } from '../dynamo/healing/anti-entropy.ts';
import type { PartitionConfig } from '../dynamo/messages.ts';
import { RingError } from '../dynamo/ring-error.ts';
import type { Clock } from '../env/clock.ts';

/**
 * How long replicas may take to become alike once nobody writes: longer than it takes to suspect a node that is down.
 */
const CONSISTENT_WITHIN_MS = 30_000;

export interface UntilConsistent {
  readonly clock: Clock;
  /** Default: 30 s. */
  readonly withinMs: number | undefined;
  /** The wait between two looks. Hints are offered, and nodes probed, about as often. */
  readonly pollMs: number;
  /** Repairs once. @returns what is still behind, a phrase each; nothing: all replicas are alike */
  readonly repairAndFindBehind: () => Promise<readonly string[]>;
}

/** Repairs until all replicas are alike. @throws RingError that says what is behind, if they are not in time */
export async function untilConsistent(wait: UntilConsistent): Promise<void> {
  const { clock, withinMs = CONSISTENT_WITHIN_MS, pollMs, repairAndFindBehind } = wait;
  const untilMs = clock.elapsedMs() + withinMs;
  for (;;) {
    const behind = await repairAndFindBehind();
    if (behind.length === 0) return;
    if (clock.elapsedMs() >= untilMs) throw new RingError(`replicas differ still: ${behind.join('; ')}`);
    await new Promise<void>((resolve) => clock.after(pollMs, resolve));
  }
}

/** What a repair of all replicas leaves to be said of them: nothing, if it has compared all and found none that differ. */
export function behindAfterRepair(
  { partitions, recordsRepaired }: Pick<RepairReport, 'partitions' | 'recordsRepaired'>,
  configs: readonly PartitionConfig[],
): string[] {
  const behind: string[] = [];
  if (recordsRepaired > 0) behind.push(`the last comparison has found ${recordsRepaired} records`);
  const comparisons = configs.reduce((sum, { members }) => sum + members.length * (members.length - 1), 0);
  if (partitions < comparisons) behind.push(`${comparisons - partitions} comparisons could not be made`);
  return behind;
}

/** The report of a repair that did nothing. */
export const NOTHING_REPAIRED: RepairReport = {
  partitions: 0,
  hashesExchanged: 0,
  bytesExchanged: 0,
  recordsRepaired: 0,
  ms: 0,
};
