import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { crc32 } from 'node:zlib';
import { CLUSTER_FILE, DataDirectoryError, writeDurably, writeDurablyInBackground } from './cluster-file.ts';
import { createDirectory, isBlank, takeLock } from './data-directory.ts';
import { type DirectoryLock, isHeld } from './directory-lock.ts';
import { newDiskId } from './disk-id.ts';
import { lockName, type NameLock } from './name-lock.ts';
import { PEER_FILE, PEER_FORMAT, type PeerFile, readPeerFile } from './peer-file.ts';
import type { FoundingRight, PeerRecord } from './peer-record.ts';

/** The folder of the node's store. */
const STORE = 'node';
/** What is known of other nodes: it helps to find them, and nothing is lost with it. */
const NOTES_FILE = 'dynaring-peers.json';
/** A record of an item has four bytes for it. */
const MAX_BOOT = 0xffff_ffff;

/** The data directory of one node of a cluster of several processes. */
export interface PeerDirectory {
  readonly path: string;
  /** The folder of the node's LMDB environment, which may not exist yet. */
  readonly storePath: string;
  readonly record: PeerRecord;
  /** Replaces the record, atomically and durably. @throws DataDirectoryError if the disk refuses it */
  save(record: PeerRecord): void;
  /** What `writeNotes` has written last; undefined if that is nothing, or is damaged. */
  readNotes(): unknown;
  /** Keeps something that helps a later process. Resolves when it is durable, or the disk has refused it: that is no error. */
  writeNotes(notes: unknown): Promise<void>;
  /** Releases the directory, once all notes are written. The store has to be closed before. */
  close(): Promise<void>;
}

/** What a reader sees of the data directory of one node, without taking it. */
export interface PeerDirectoryView {
  readonly path: string;
  readonly formatVersion: number;
  readonly record: PeerRecord;
  /** Whether a process holds the directory. */
  readonly isInUse: boolean;
  /** The folder of the node's store; undefined if there is none yet. */
  readonly storePath: string | undefined;
}

/**
 * Looks into the data directory of one node without taking or changing it. A process may run on it.
 *
 * @returns undefined if it is no such directory
 * @throws DataDirectoryError if its record cannot be read
 */
export async function viewPeerDirectory(userPath: string): Promise<PeerDirectoryView | undefined> {
  const path = resolve(userPath);
  const found = readPeerFile(path);
  if (found === undefined) return undefined;
  const { formatVersion, record } = found;
  const store = join(path, STORE);
  const isInUse = await isHeld(path, { leavesDead: true });
  return { path, formatVersion, record, isInUse, storePath: isBlank(store) ? undefined : store };
}

/**
 * Gives a disk the right to found a cluster with others.
 *
 * @throws DataDirectoryError if the directory has been used for anything before
 */
export async function initPeerDirectory(userPath: string, name: string, right: FoundingRight): Promise<void> {
  const path = resolve(userPath);
  createDirectory(path);
  const lock = await takeLock(path);
  try {
    const found = recordIn(path);
    if (found !== undefined) {
      const isSame = found.name === name && JSON.stringify(found.right) === JSON.stringify(right);
      if (isSame && found.state === 'new') return;
      throw new DataDirectoryError(
        `the data directory ${path} is that of node ${found.name} already: it must be empty`,
      );
    }
    write(path, { diskId: newDiskId(), name, boot: 0, right, state: 'new' });
  } finally {
    await lock.release();
  }
}

/**
 * Takes the directory, and counts the start. An empty directory becomes the empty disk of this node.
 *
 * @throws DataDirectoryError if it is in use, is that of something else, has lost its store, or was refused by others
 */
export async function openPeerDirectory(userPath: string, name: string): Promise<PeerDirectory> {
  const path = resolve(userPath);
  createDirectory(path);
  const lock = await takeLock(path);
  let nameLock: NameLock | undefined;
  try {
    const found = recordIn(path) ?? { diskId: newDiskId(), name, boot: 0, state: 'new' as const };
    if (found.name !== name) {
      throw new DataDirectoryError(`the data directory ${path} is that of node ${found.name}, not of ${name}`);
    }
    if (found.refused !== undefined) {
      const remedy = 'put the newest one back, or empty the directory and have the node replaced';
      throw new DataDirectoryError(`the data directory ${path} was refused (${found.refused}): ${remedy}`);
    }
    nameLock = await lockName(`disk ${found.diskId}`);
    if (nameLock === undefined) {
      throw new DataDirectoryError(`another process runs on a copy of the data directory ${path}`);
    }
    const storePath = join(path, STORE);
    if (found.storeBoot !== undefined && isBlank(storePath)) {
      throw new DataDirectoryError(
        `the data directory ${path} has lost ${STORE}: put it back, or empty the directory and have the node replaced`,
      );
    }
    if (found.boot === MAX_BOOT) throw new DataDirectoryError(`${path} was started too often: have the node replaced`);
    const record: PeerRecord = { ...found, boot: found.boot + 1 };
    write(path, record);
    return opened(path, record, [nameLock, lock]);
  } catch (error) {
    await nameLock?.release();
    await lock.release();
    throw error;
  }
}

function opened(path: string, record: PeerRecord, locks: readonly (DirectoryLock | NameLock)[]): PeerDirectory {
  let present = record;
  let noted: Promise<void> = Promise.resolve();
  return {
    path,
    storePath: join(path, STORE),
    get record() {
      return present;
    },
    save: (next) => {
      write(path, next);
      present = next;
    },
    readNotes: () => {
      try {
        return JSON.parse(readFileSync(join(path, NOTES_FILE), 'utf8'));
      } catch {
        return undefined;
      }
    },
    writeNotes: (notes) => {
      const text = `${JSON.stringify(notes)}\n`;
      // They share a draft: one after the other.
      noted = noted
        .then(() => writeDurablyInBackground(path, NOTES_FILE, text))
        .catch((error: unknown) => {
          if (!(error instanceof DataDirectoryError)) throw error;
        });
      return noted;
    },
    close: async () => {
      await noted;
      for (const lock of locks) await lock.release();
    },
  };
}

/** @throws DataDirectoryError if the directory is that of something else */
function recordIn(path: string): PeerRecord | undefined {
  const found = readPeerFile(path);
  if (found !== undefined) return found.record;
  if (existsSync(join(path, CLUSTER_FILE))) {
    throw new DataDirectoryError(
      `the data directory ${path} has all nodes of one server: it is started with dynaring --data-dir, without serve`,
    );
  }
  const others = readdirSync(path).filter((each) => !each.startsWith('lock-') && each !== 'lost+found');
  if (others.length === 0) return undefined;
  throw new DataDirectoryError(`the data directory ${path} has ${others[0]}, but no ${PEER_FILE}: it must be empty`);
}

function write(path: string, record: PeerRecord): void {
  const text = JSON.stringify(record);
  const whole: PeerFile = { formatVersion: PEER_FORMAT, checksum: crc32(text), record };
  writeDurably(path, PEER_FILE, `${JSON.stringify(whole)}\n`);
}
