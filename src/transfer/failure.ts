/** A failure that the user or the endpoint has to remedy: `message` is one line for the user. */
export class TransferError extends Error {
  override readonly name = 'TransferError';
}

/** The user ended the transfer (SIGINT, SIGTERM). That is no failure, and finished work is kept. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

/** Texts for errors of the file system, for a line that already names the file. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  switch (code) {
    case 'ENOENT':
      return 'there is no such file';
    case 'EACCES':
    case 'EPERM':
      return 'it may not be read or written';
    case 'EISDIR':
      return 'it is a folder';
    case 'ENOTDIR':
      return 'a part of its path is no folder';
    case 'ENOSPC':
      return 'the disk is full';
    case 'EPIPE':
      return 'whoever read it has gone';
    case 'EROFS':
      return 'the file system is read-only';
    default:
      return message;
  }
}
