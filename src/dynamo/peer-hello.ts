import type { NodeId } from './ring.ts';

/**
 * What a peer says of itself at the beginning of each connection. Whoever hears it decides by it whether to go on
 * (docs/protocol.md section 12).
 */
export interface PeerHello {
  /** The lowest and the highest version of the messages that this release reads and writes. */
  readonly protocolMin: number;
  readonly protocolMax: number;
  /** Undefined: of no cluster yet. */
  readonly clusterId: string | undefined;
  /** A hash of the founders' names on its disk; undefined if it does not found. */
  readonly foundersHash: string | undefined;
  readonly name: string;
  readonly node: NodeId;
  /** 48 bits. */
  readonly diskId: number;
  /** How often this disk was started. */
  readonly boot: number;
  /** Drawn at random by each process: two processes on copies of one disk have different ones. */
  readonly instance: string;
  /** `member`: stores records. `front`: serves clients alone. */
  readonly role: 'member' | 'front';
  /** Q, N and the layouts of keys and Merkle trees, as one text: it has to be the same everywhere. */
  readonly layout: string;
  /** Milliseconds since 1970, when it was said. */
  readonly clockMs: number;
  /** The release, for people. */
  readonly build: string;
}
