import { createHash, randomBytes } from 'node:crypto';
import { closeSync, existsSync, lstatSync, openSync, readdirSync, rmSync, statSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** A directory that belongs to this process until `release`, or until the process ends, however it ends. */
export interface DirectoryLock {
  release(): Promise<void>;
}

const ATTEMPTS = 4;
const MAX_BACKOFF_MS = 100;

/** The pause between two checks that the socket still exists. */
const LOOK_MS = 1_000;

/**
 * The longest address that `connect` and `listen` take on every system: it must fit into `sockaddr_un`, 104 bytes on
 * macOS.
 */
const MAX_ADDRESS_BYTES = 103;

/**
 * Takes the directory. Returns undefined if another process, or another part of this one, holds it.
 *
 * The lock is a Unix socket in the directory that its owner listens on. The kernel closes the socket with the process,
 * also on kill -9. The socket is reached through the file system, so the lock works between containers, where process
 * ids mean nothing. Each contender first listens on a name of its own and then looks for others; if another one accepts
 * a connection, the contender withdraws. So the later of two contenders sees the earlier one. Both may withdraw, and
 * try again. Dead sockets are removed, which is safe because no name is used twice.
 *
 * Where sockets cannot be made in the directory (some mounts of a host's folder into a virtual machine, or a long path
 * on a system without /proc), they are made in the temporary directory, under a name made of the directory's device and
 * inode. That still keeps two processes of one machine apart, but not two containers. Other users can make files there
 * too, so a socket counts only if its owner may write in the directory itself.
 *
 * A socket that is removed is made again within a second.
 */
export async function lockDirectory(path: string): Promise<DirectoryLock | undefined> {
  for (let attempt = 1; ; attempt++) {
    const claim = await claimDirectory(path);
    if (!(await isHeld(path, { except: claim.name })) && isThere(claim)) return keepClaim(path, claim);
    await claim.release();
    if (attempt === ATTEMPTS) return undefined;
    await delay(Math.random() * MAX_BACKOFF_MS);
  }
}

function isThere({ place, name }: Claim): boolean {
  return existsSync(join(place.folder, name));
}

/** Renews the claim whenever its socket was removed, until the lock is released. */
function keepClaim(path: string, first: Claim): DirectoryLock {
  let claim = first;
  let work: Promise<void> = Promise.resolve();
  const renew = async () => {
    if (isThere(claim) || !existsSync(path)) return;
    const next = await claimDirectory(path).catch(() => undefined);
    if (next === undefined) return;
    await claim.release();
    claim = next;
  };
  const timer = setInterval(() => {
    work = work.then(renew);
  }, LOOK_MS).unref();
  return {
    async release() {
      clearInterval(timer);
      await work;
      await claim.release();
    },
  };
}

/**
 * Whether a process holds the directory.
 *
 * @param options `except`: the name of the caller's own claim, which does not count; `leavesDead`: whether to leave the
 *   sockets of dead processes in place
 */
export async function isHeld(
  path: string,
  { except, leavesDead = false }: { readonly except?: string; readonly leavesDead?: boolean } = {},
): Promise<boolean> {
  let hasOther = false;
  const places = openPlaces(path);
  try {
    for (const place of places) {
      for (const name of namesIn(place.folder)) {
        if (!name.startsWith(place.prefix) || !name.endsWith(SUFFIX) || name === except) continue;
        if (!place.isTrusted(join(place.folder, name))) continue;
        if (await isListening(place.addressOf(name))) hasOther = true;
        else if (!leavesDead) rmSync(join(place.folder, name), { force: true });
      }
    }
  } finally {
    for (const place of places) place.close();
  }
  return hasOther;
}

/** Empty for a folder that does not exist, as TMPDIR may name one: nobody can listen there. */
function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

interface Claim extends DirectoryLock {
  readonly name: string;
  readonly place: Place;
}

/** Listens in the first place where that is possible. */
async function claimDirectory(path: string): Promise<Claim> {
  const places = openPlaces(path);
  let failure: unknown;
  for (const [at, place] of places.entries()) {
    const name = `${place.prefix}${randomBytes(8).toString('hex')}${SUFFIX}`;
    try {
      const server = await listen(place.addressOf(name));
      for (const other of places.slice(at + 1)) other.close();
      return { name, place, release: () => stop(server).finally(place.close) };
    } catch (error) {
      failure = error;
      place.close();
    }
  }
  throw failure;
}

/** Where the sockets of a directory's lock may be. */
interface Place {
  readonly folder: string;
  readonly prefix: string;
  /** The address by which the system reaches a socket of the folder. */
  addressOf(name: string): string;
  /** Whether the owner of a socket there may write in the directory. */
  isTrusted(socket: string): boolean;
  /** After this, `addressOf` is void. */
  close(): void;
}

const SUFFIX = '.sock';
const PREFIX = 'lock-';
/** Permissions of a directory in which its group or everybody may make files. */
const OTHERS_WRITE = 0o022;

function openPlaces(path: string): Place[] {
  const { dev, ino, uid, mode } = statSync(path);
  const inode = createHash('sha256').update(`${dev}:${ino}`).digest('hex').slice(0, 16);
  const isShared = (mode & OTHERS_WRITE) !== 0;
  const writers = [0, uid, process.getuid?.()];
  const temporary: Place = {
    ...plainPlace(tmpdir(), `dynaring-${PREFIX}${inode}-`),
    isTrusted: (socket) => isShared || writers.includes(ownerOf(socket)),
  };
  const near = plainPlace(path, PREFIX);
  const longest = near.addressOf(`${PREFIX}${'0'.repeat(16)}${SUFFIX}`);
  if (Buffer.byteLength(longest) <= MAX_ADDRESS_BYTES) return [near, temporary];
  // libuv silently truncates a longer address, and would listen somewhere else.
  return existsSync('/proc/self/fd') ? [descriptorPlace(path), temporary] : [temporary];
}

function ownerOf(path: string): number | undefined {
  return lstatSync(path, { throwIfNoEntry: false })?.uid;
}

function plainPlace(folder: string, prefix: string): Place {
  return { folder, prefix, addressOf: (name) => join(folder, name), isTrusted: () => true, close: () => {} };
}

/** Reaches a directory of any path length by its descriptor. */
function descriptorPlace(folder: string): Place {
  const descriptor = openSync(folder, 'r');
  return {
    folder,
    prefix: PREFIX,
    addressOf: (name) => `/proc/self/fd/${descriptor}/${name}`,
    isTrusted: () => true,
    close: () => closeSync(descriptor),
  };
}

function listen(address: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', reject);
    // A lock must not keep the process alive.
    server.listen(address, () => resolve(server.unref()));
  });
}

/** Also removes the socket's file. */
function stop(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

/** True in doubt: false only if it is certain that nobody listens. */
function isListening(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(address);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'),
    );
  });
}
