import type { NodeId } from '../dynamo/ring.ts';
import type { MoverProgress, StuckMove } from './mover.ts';
import type { Peer } from './peer.ts';
import { votesOf } from './ring-examination.ts';

/** What a process says of itself when another one looks how the cluster is (docs/protocol.md section 16.4). */
export interface PeerState {
  /** As `votesOf` has it; undefined: no node runs here. */
  readonly votes: readonly number[] | undefined;
  readonly isPaused: boolean;
  readonly hints: number;
  readonly suspects: readonly NodeId[];
  /** The partition that it moves now, and those that it could not move. */
  readonly moving: number | undefined;
  readonly stuck: readonly StuckMove[];
  /** Milliseconds since 1970. */
  readonly clockMs: number;
}

/** Of moves that do not get on, so many are told of. */
export const MOST_STUCK = 64;
/** And so much of why. */
const MOST_REASON = 300;

/** @param peer undefined: no node runs here */
export function peerStateOf(peer: Peer | undefined, progress: MoverProgress | undefined, clockMs: number): PeerState {
  const status = peer?.node.status();
  const stuck = (progress?.stuck ?? []).slice(0, MOST_STUCK);
  return {
    votes: peer && votesOf(peer.node),
    isPaused: peer?.isPaused === true,
    hints: status?.hints ?? 0,
    suspects: status?.suspects ?? [],
    moving: progress?.moving,
    stuck: stuck.map(({ partition, reason }) => ({ partition, reason: reason.slice(0, MOST_REASON) })),
    clockMs,
  };
}
