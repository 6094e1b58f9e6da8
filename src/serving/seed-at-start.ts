import { describeCluster, type Quorums } from '../admin/describe-cluster.ts';
import { ApiError } from '../api/errors.ts';
import type { Clock } from '../env/clock.ts';
import type { Log } from '../env/log.ts';
import type { ServedRing } from '../peer/served-ring.ts';
import type { SeedParts } from '../seed/seed.ts';

/** The pause between two looks at whether the cluster can take seeds, in ms. */
const LOOK_MS = 500;

/** What seeding has to know of a cluster of several processes. */
export interface SeededCluster {
  readonly ring: Pick<ServedRing, 'examine'>;
  readonly settings: Quorums;
  readonly clock: Clock;
  readonly log: Log;
  /** The process is to end: it waits no longer. */
  readonly isStopping: () => boolean;
}

/**
 * Makes the tables of a directory that are not there yet, before requests are served. Where there are other processes, some may
 * have to start first: it waits until every partition has a majority, and begins again if that is lost meanwhile.
 *
 * @param cluster undefined: all nodes are in this process
 * @throws SeedError for what no waiting mends
 */
export async function seedAtStart(
  directory: string,
  { router, nowMs, log }: SeedParts,
  cluster: SeededCluster | undefined,
): Promise<void> {
  const { seed } = await import('../seed/seed.ts');
  if (cluster === undefined) return seed(directory, { existing: 'leave-alone' }, { router, nowMs, log });
  let hasFailed = false;
  /** Tables that this process has begun to make: it is not known what of that has happened. */
  const begun = new Set<string>();
  const noting: SeedParts = {
    nowMs,
    log,
    router: {
      tables: router.tables,
      async executeIn(namespace, operation, request, context) {
        const { TableName } = request as { readonly TableName: string };
        const table = JSON.stringify([namespace, TableName]);
        const isAgain = begun.has(table);
        try {
          return await router.executeIn(namespace, operation, request, context);
        } catch (error) {
          const isOfCluster = error instanceof ApiError && error.status >= 500;
          if (isOfCluster) {
            hasFailed = true;
            begun.add(table);
          }
          if (isAgain && isDoneAlready(operation, error)) return {};
          throw error;
        }
      },
    },
  };
  while (await untilMajorities(cluster)) {
    hasFailed = false;
    try {
      return await seed(directory, { existing: 'leave-alone' }, noting);
    } catch (error) {
      if (!hasFailed) throw error;
      log.warn('the cluster could not take the seeds: they are tried again', { error });
      await pause(cluster.clock);
    }
  }
}

/** Whether an error says that an earlier attempt has done it, although its outcome was not known. */
function isDoneAlready(operation: string, error: unknown): boolean {
  if (!(error instanceof ApiError) || error.status >= 500) return false;
  return operation === 'UpdateTimeToLive' || error.name === 'ResourceInUseException';
}

/** @returns false: the process is to end */
async function untilMajorities({ ring, settings, clock, log, isStopping }: SeededCluster): Promise<boolean> {
  for (let looks = 0; !isStopping(); looks++) {
    const { withoutMajority, problems } = describeCluster(await ring.examine(), settings);
    if (withoutMajority.length === 0) return true;
    if (looks === 0) log.info('the seeds wait for other processes', { problems: problems.join('; ') });
    await pause(clock);
  }
  return false;
}

function pause(clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    clock.after(LOOK_MS, resolve);
  });
}
