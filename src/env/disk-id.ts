import { randomBytes } from 'node:crypto';

/** 48 random bits, so that no two disks have the same. */
export function newDiskId(): number {
  return randomBytes(6).readUIntBE(0, 6);
}
