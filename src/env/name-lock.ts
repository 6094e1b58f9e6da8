import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:net';

/** A name that belongs to this process until `release`, or until the process is gone. */
export interface NameLock {
  release(): Promise<void>;
}

/**
 * Takes a name without a file, so that nobody can remove it: a socket in Linux' abstract namespace, of which each
 * network namespace has one. Returns undefined if another process, or another part of this one, holds the name. On
 * other systems the lock keeps nobody out.
 *
 * @param secret the name is derived from it; a process that knows the secret could take the name first
 */
export async function lockName(secret: string): Promise<NameLock | undefined> {
  if (process.platform !== 'linux') return { release: async () => {} };
  const name = `\0dynaring-${createHash('sha256').update(secret).digest('hex').slice(0, 32)}`;
  const server = createServer((socket) => socket.destroy());
  return new Promise((resolve) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      // If the system refuses the socket for another reason, there is no lock, and the server runs without.
      resolve(error.code === 'EADDRINUSE' ? undefined : { release: async () => {} });
    });
    // A lock must not keep the process alive.
    server.listen(name, () => resolve({ release: () => stop(server) })).unref();
  });
}

function stop(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}
