import { accessSync, constants, mkdtempSync, renameSync, writeFileSync } from 'node:fs';
import { lstat, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { DataDirectoryError } from './cluster-file.ts';
import { type DataDirectory, isBlank } from './data-directory.ts';
import { isHeld, lockDirectory } from './directory-lock.ts';

const PREFIX = 'dynaring-data-';
/**
 * The prefix until the directory is locked. So a directory with the final prefix and without a lock has lost its owner.
 */
const UNFINISHED_PREFIX = '.dynaring-data-';
/** A directory that is still unfinished at this age will stay so. */
const UNFINISHED_MS = 60_000;
/** A directory without this file is never removed, whatever its name. */
const MARK = 'dynaring-temporary';

/**
 * A container with a read-only root file system can write here. Linux keeps the files in memory, and Docker limits them
 * to 64 MB by default.
 */
const SHARED_MEMORY = '/dev/shm';

/**
 * Makes a new data directory, which `close` removes.
 *
 * @param parents the directory is made in the first of these that is writable; by default the system's temporary
 *   directory comes first
 *
 * @throws DataDirectoryError
 */
export async function openTemporaryDirectory(
  parents: readonly string[] = [tmpdir(), SHARED_MEMORY],
): Promise<DataDirectory> {
  const parent = parents.find(isWritable) ?? parents[0]!;
  try {
    const unfinished = mkdtempSync(join(parent, UNFINISHED_PREFIX));
    writeFileSync(join(unfinished, MARK), 'The data of a Dynaring server, which removes it when it ends.\n');
    const lock = await lockDirectory(unfinished);
    if (lock === undefined) throw new Error(`${unfinished} is in use by another process`);
    const path = join(parent, PREFIX + basename(unfinished).slice(UNFINISHED_PREFIX.length));
    renameSync(unfinished, path);
    return {
      path,
      cluster: undefined,
      nodePath: (nodeId) => join(path, nodeId),
      nodeIds: () => [],
      isBlank: (nodeId) => isBlank(join(path, nodeId)),
      // Nobody will open the directory again, so nobody needs the record.
      saveCluster: () => {},
      close: async () => {
        await rm(path, { recursive: true, force: true });
        await lock.release();
      },
    };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new DataDirectoryError(`cannot make a temporary data directory in ${parent}: ${reason}`);
  }
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Removes the temporary directories beside `own` whose owners are dead, and returns their paths. It may take a while,
 * so call it when the server is up. It never rejects; a directory that cannot be removed stays. `now`: milliseconds
 * since 1970.
 */
export async function removeLeftovers(own: DataDirectory, now: number): Promise<string[]> {
  const parent = dirname(own.path);
  const removed: string[] = [];
  for (const name of await readdir(parent).catch(() => [])) {
    const path = join(parent, name);
    const isGone = await removeLeftover(path, name, now).catch(() => false);
    if (isGone) removed.push(path);
  }
  return removed;
}

async function removeLeftover(path: string, name: string, now: number): Promise<boolean> {
  const isFinished = name.startsWith(PREFIX);
  if (!isFinished && !name.startsWith(UNFINISHED_PREFIX)) return false;
  const found = await lstat(path);
  if (!found.isDirectory() || (!isFinished && now - found.mtimeMs < UNFINISHED_MS)) return false;
  // Throws if there is no mark.
  await lstat(join(path, MARK));
  if (await isHeld(path)) return false;
  await rm(path, { recursive: true, force: true });
  return true;
}
