import type { NodeId } from '../dynamo/ring.ts';
import { isNodeName } from '../env/peer-record.ts';

const DISK_DIGITS = 12;
const DISK = /^\.[0-9a-f]{12}$/;

/**
 * The id of a node in a cluster of several processes. A node *is* its disk: two disks under one name are two nodes, which
 * have addresses and messages of their own; the name is for people.
 *
 * @param diskId 48 bits
 */
export function peerNodeId(name: string, diskId: number): NodeId {
  return `${name}.${diskId.toString(16).padStart(DISK_DIGITS, '0')}`;
}

/** The name in an id that `peerNodeId` made. */
export function nameOf(node: NodeId): string {
  return node.slice(0, -DISK_DIGITS - 1);
}

/** The disk in an id that `peerNodeId` made. */
export function diskOf(node: NodeId): number {
  return Number.parseInt(node.slice(-DISK_DIGITS), 16);
}

/** Whether a text, which a stranger may have sent, is what `peerNodeId` makes. */
export function isPeerNodeId(text: string): boolean {
  return isNodeName(nameOf(text)) && DISK.test(text.slice(-DISK_DIGITS - 1));
}
