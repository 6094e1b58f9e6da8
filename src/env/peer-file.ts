import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { DataDirectoryError, reasonOf } from './cluster-file.ts';
import { foundedClusterIn, foundingRightIn, isDiskId, isNodeName, isWithin, type PeerRecord } from './peer-record.ts';

/** Tells that a data directory is that of one node of a cluster of several processes, and what that node is. */
export const PEER_FILE = 'dynaring-peer.json';

/** Raised with each change that an older version would misread. */
export const PEER_FORMAT = 1;

export interface PeerFile {
  readonly formatVersion: number;
  /** The CRC-32 of the record's JSON: a digit that has changed would name another disk. */
  readonly checksum: number;
  readonly record: PeerRecord;
}

/**
 * What a directory says of its node; undefined if it says nothing.
 *
 * @throws DataDirectoryError if the file is damaged, or of a format that this version does not know
 */
export function readPeerFile(path: string): PeerFile | undefined {
  const file = join(path, PEER_FILE);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw new DataDirectoryError(`cannot read ${file}: ${reasonOf(error)}`);
  }
  const { formatVersion, checksum, record } = Object(parse(text)) as Partial<PeerFile>;
  if (typeof formatVersion === 'number' && formatVersion > PEER_FORMAT) {
    throw new DataDirectoryError(
      `${file} has format ${formatVersion}, of a newer version; this version knows ${PEER_FORMAT}`,
    );
  }
  const isSound = formatVersion === PEER_FORMAT && checksum === crc32(JSON.stringify(record ?? null));
  if (isSound && isRecord(record)) return { formatVersion, checksum, record };
  throw new DataDirectoryError(`${file} is damaged: it does not describe a node`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is PeerRecord {
  const { diskId, name, boot, right, state, cluster, storeBoot, refused } = Object(value) as Partial<PeerRecord>;
  const isStateSound = state === 'new' || ((state === 'bound' || state === 'formed') && cluster !== undefined);
  return (
    isDiskId(diskId) &&
    isNodeName(name) &&
    isWithin(boot, 0, 0xffff_ffff) &&
    (right === undefined || foundingRightIn(right) !== undefined) &&
    (cluster === undefined || foundedClusterIn(cluster) !== undefined) &&
    (refused === undefined || typeof refused === 'string') &&
    (storeBoot === undefined || isWithin(storeBoot, 1, boot)) &&
    isStateSound
  );
}
