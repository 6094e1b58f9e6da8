import type { PeerHello } from '../dynamo/peer-hello.ts';
import type { Refusal } from '../env/peer-channel.ts';
import { isNodeName } from '../env/peer-record.ts';
import type { AddressEntry } from './address-book.ts';
import { peerNodeId } from './node-name.ts';

/** How far the clock of a node may be off that forms a cluster or joins one, in ms. Afterwards it is only shown. */
const MAX_CLOCK_SKEW_MS = 30_000;

/** Whether a refusal means that the disk which was refused is a copy: whatever is on it may be too old. */
export function isOfCopy({ code }: Refusal): boolean {
  return code === 'old-disk' || code === 'copied-disk';
}

/**
 * Whether a refusal means that another process is connected on the same disk. It may be gone without having been able to
 * say so, as with its power: whoever is refused for long is the second one.
 */
export function isOfTwin({ code }: Refusal): boolean {
  return code === 'disk-in-use';
}

/** What a process knows by itself of a peer that wants to be let in. */
export interface Acquaintance {
  /** The last start on the peer's disk that was heard of. */
  readonly last: AddressEntry | undefined;
  /** The process on the peer's disk that is connected now. */
  readonly connected: Pick<PeerHello, 'instance' | 'boot'> | undefined;
  /** Whether this process has been let in by others, or has no others: then a second one on its own disk is a copy. */
  readonly isSettled: boolean;
}

/**
 * Whether to talk to a peer that says this of itself.
 *
 * @param mine what this process says of itself
 * @returns why it is refused; undefined if it is let in
 */
export function refusalOf(
  hello: PeerHello,
  mine: PeerHello,
  { last: known, connected, isSettled }: Acquaintance,
): Refusal | undefined {
  const { name, diskId, node, clusterId, layout, boot, instance } = hello;
  if (!isNodeName(name) || node !== peerNodeId(name, diskId)) {
    return { code: 'wrong-name', line: 'the id of the node does not fit its name and its disk' };
  }
  if (diskId === mine.diskId && instance !== mine.instance) {
    const line = `another process runs on a copy of the disk of ${mine.name}`;
    return isSettled ? { code: 'copied-disk', line: `${line}: this one came later` } : { code: 'same-disk', line };
  }
  if (clusterId !== undefined && mine.clusterId !== undefined && clusterId !== mine.clusterId) {
    return { code: 'other-cluster', line: `${name} is of cluster ${clusterId}, ${mine.name} of ${mine.clusterId}` };
  }
  if (layout !== '' && mine.layout !== '' && layout !== mine.layout && clusterId === mine.clusterId) {
    return { code: 'other-layout', line: `${name} has ${layout}, ${mine.name} has ${mine.layout}` };
  }
  if (known !== undefined && boot < known.boot) {
    const line = `the disk of ${name} is an old copy of itself: start ${boot}, but it had start ${known.boot} before`;
    return { code: 'old-disk', line };
  }
  if (known !== undefined && boot === known.boot && instance !== known.instance) {
    return { code: 'copied-disk', line: `two processes run on copies of the disk of ${name}: this one came later` };
  }
  // A start that is newer than a process that lives is one on a copy, which was made while that process ran.
  if (connected !== undefined && instance !== connected.instance) {
    const line = `another process, which is connected, runs on the disk of ${name}: start ${connected.boot}, not ${boot}`;
    return { code: 'disk-in-use', line };
  }
  const isJoining = clusterId === undefined || mine.clusterId === undefined;
  const skewMs = Math.abs(hello.clockMs - mine.clockMs);
  if (isJoining && skewMs > MAX_CLOCK_SKEW_MS) {
    const line = `the clocks of ${name} and ${mine.name} differ by ${Math.round(skewMs / 1_000)} seconds`;
    return { code: 'clock', line };
  }
  return undefined;
}
