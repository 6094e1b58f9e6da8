import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:net';

/** A name that belongs to this process until `release`, or until the process is gone. */
export interface NameLock {
  release(): Promise<void>;
}

/**
 * Takes a name that no file stands for, so that nobody can remove it: a socket in Linux' abstract namespace, which each network
 * namespace has one of. Undefined: another process has it, or another part of this one. On other systems it keeps nobody out.
 *
 * @param secret what the name is made of: whoever knows it could take the name first
 */
export async function lockName(secret: string): Promise<NameLock | undefined> {
  if (process.platform !== 'linux') return { release: async () => {} };
  const name = `\0dynaring-${createHash('sha256').update(secret).digest('hex').slice(0, 32)}`;
  const server = createServer((socket) => socket.destroy());
  return new Promise((resolve) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      // What the system does not let us have keeps nobody out either.
      resolve(error.code === 'EADDRINUSE' ? undefined : { release: async () => {} });
    });
    // A lock is no reason for a process to go on.
    server.listen(name, () => resolve({ release: () => stop(server) })).unref();
  });
}

function stop(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}
