import type { Connection } from './endpoint-connection.ts';
import { Interrupted, TransferError } from './failure.ts';
import type { Meter } from './meter.ts';
import type { Rejects } from './rejects.ts';
import type { Source } from './source.ts';
import type { FoundTable } from './tables.ts';
import { LIMITS } from './transfer-limits.ts';
import { type Entry, FailedWrite, type Outcome, WriteQueue } from './write-queue.ts';
import { WriteSender } from './write-sender.ts';

/** Counts of what was done. */
export interface Totals {
  readonly put: number;
  readonly deleted: number;
  readonly bad: number;
  /** Total size of the JSON of items and keys. */
  readonly bytes: number;
}

export const NOTHING_DONE: Totals = { put: 0, deleted: 0, bad: 0, bytes: 0 };

export interface TableImport<Place> {
  readonly source: Source<Place>;
  readonly target: Connection;
  readonly table: FoundTable;
  readonly concurrency: number;
  readonly batchSize: number;
  readonly maxBadLines: number;
  readonly rejects: Rejects | undefined;
  readonly meter: Meter;
  /** The totals of an earlier run. */
  readonly before: Totals;
  /** Aborted when the user interrupts the import. */
  readonly interrupted: AbortSignal;
  sleep(ms: number): Promise<void>;
  /** Called each time that all input up to a place is dealt with. Hazard: `totals` is changed afterwards. */
  onPassed(totals: Totals): void;
}

/**
 * Writes the items of a source into one table.
 * @throws TransferError at the first bad line that may not be skipped, or when the target fails
 * @throws Interrupted
 */
export async function importTable<Place>(run: TableImport<Place>): Promise<Totals> {
  const { source, target, table, meter, interrupted } = run;
  const totals = { ...run.before };
  const report = ({ place, work }: Entry<Place>, outcome: Outcome) => {
    if (outcome.kind === 'bad') {
      reportBad(run, place, outcome.problem, totals.bad + 1);
      totals.bad++;
    } else if (work.kind === 'write') {
      if (work.operation === 'PutItem') totals.put++;
      else totals.deleted++;
      totals.bytes += work.json.length;
    }
    source.passed(place);
    run.onPassed(totals);
  };
  const queue = new WriteQueue<Place>({
    sender: new WriteSender(target, table, run.batchSize),
    report,
    concurrency: run.concurrency,
    linger: () => run.sleep(LIMITS.lingerMs),
    onFailure: () => target.stopRetrying(),
  });
  meter.start(() => ({
    table: table.name,
    items: totals.put + totals.deleted,
    bytes: totals.bytes,
    share: source.share(),
    retries: target.retries,
  }));
  try {
    reading: for await (const entries of source.entries(table)) {
      for (const entry of entries) {
        if (queue.isFull) await queue.room();
        if (queue.hasFailed || interrupted.aborted) break reading;
        queue.add(entry);
      }
    }
    await queue.drained();
  } catch (error) {
    await queue.settled();
    throw error instanceof FailedWrite ? new TransferError(`${source.nameOf(error.place)}: ${error.message}`) : error;
  } finally {
    meter.stop();
  }
  if (interrupted.aborted) throw new Interrupted();
  return totals;
}

function reportBad<Place>(
  { source, maxBadLines, rejects, meter }: TableImport<Place>,
  place: Place,
  problem: string,
  count: number,
) {
  const text = `${source.nameOf(place)}: ${problem}`;
  if (count > maxBadLines) {
    const advice =
      maxBadLines === 0 ? '--skip-bad-lines goes on after such lines' : `there are more than ${maxBadLines} bad lines`;
    throw new TransferError(`${text}; ${advice}`);
  }
  rejects?.add(source.rawOf(place));
  if (count <= LIMITS.badLinesShown) meter.say(text);
  if (count === LIMITS.badLinesShown) meter.say('more bad lines are only counted');
}
