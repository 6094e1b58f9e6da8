import type { CoordinationReply } from '../dynamo/coordinating-node.ts';
import { makesSense } from '../dynamo/coordination.ts';
import type { CoordinationRequest } from '../dynamo/coordination-messages.ts';
import { partitionOf } from '../dynamo/keyspace.ts';
import type { Reply, Request } from '../dynamo/messages.ts';
import type { Serve } from '../env/peer-channel.ts';
import type { Receive } from '../env/transport.ts';
import type { Peer } from './peer.ts';

/**
 * Answers what nodes of other processes ask of this one. A node takes it that partitions are those of its ring; what
 * comes over the network may say anything, and one message must not end the process.
 *
 * @param peer undefined before the node has started: then nobody answers, as if it were down
 */
export function ringDesk(peer: () => Peer | undefined): Receive<Request, Reply> {
  return (from, request, answer) => {
    const running = peer();
    if (running === undefined) return;
    const { partitions } = running.node.view;
    if (partitionsIn(request).every((partition) => partition < partitions)) running.receive(from, request, answer);
    else answer({ kind: 'failed', from: running.id, reason: 'this ring has no such partition' });
  };
}

/**
 * As `ringDesk`, for what clients of the ring in other processes ask.
 *
 * @param partitions Q
 * @param serve answers what is about the ring
 */
export function coordinationDesk(
  partitions: number,
  serve: Serve<CoordinationRequest, CoordinationReply>,
): Serve<CoordinationRequest, CoordinationReply> {
  return (from, request, answer, whenGone) => {
    const isOfRing = partitionsAsked(request).every((partition) => partition < partitions);
    if (isOfRing && (request.kind !== 'coordinate-write' || makesSense(request, partitions)))
      serve(from, request, answer, whenGone);
    else answer({ kind: 'unavailable', needed: 1, got: 0 });
  };
}

function partitionsAsked(request: CoordinationRequest): readonly number[] {
  switch (request.kind) {
    case 'coordinate-write':
    case 'coordinate-read':
    case 'collection-size':
      return [partitionOf(request.key)];
    case 'coordinate-range':
      return [partitionOf(request.range.from)];
    case 'tables-in':
      return [request.partition];
    case 'count-items':
      return request.partitions;
    default:
      return [];
  }
}

/** The partitions that a request is about. NaN, which is below nothing, if a key is too short to be one. */
function partitionsIn(request: Request): readonly number[] {
  switch (request.kind) {
    case 'gossip':
    case 'ping':
      return [];
    case 'merkle-hashes':
    case 'merkle-keys':
    case 'copy':
    case 'seal':
    case 'sealed-records':
    case 'config-prepare':
    case 'config-accept':
      return [request.partition];
    case 'stage':
      return [request.next.partition];
    case 'activate':
      return [request.config.partition];
    case 'fetch':
      return request.keys.map(partitionOf);
    case 'read-range':
    case 'read-local-range':
      return [partitionOf(request.from)];
    default:
      return [partitionOf(request.key)];
  }
}
