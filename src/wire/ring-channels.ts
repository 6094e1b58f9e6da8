import type { CoordinationRequest } from '../dynamo/coordination-messages.ts';
import type { Reply, Request } from '../dynamo/messages.ts';
import type { Channel, Lane } from '../env/peer-channel.ts';
import { answerCodec, COORDINATION_REQUEST_CODEC } from './coordination-codec.ts';
import { REPLY_CODEC } from './reply-codec.ts';
import { REQUEST_CODEC } from './request-codec.ts';
import { WireError } from './wire-error.ts';

/** Which connection each kind of message takes. `bulk`: large, or of nobody who waits. */
const RING_LANES: Readonly<Record<Request['kind'], Lane>> = {
  prepare: 'hot',
  accept: 'hot',
  learn: 'hot',
  adopt: 'hot',
  read: 'hot',
  'read-committed': 'hot',
  'read-range': 'bulk',
  'read-local-range': 'bulk',
  hint: 'bulk',
  'merkle-hashes': 'bulk',
  'merkle-keys': 'bulk',
  fetch: 'bulk',
  'confirm-tombstone': 'bulk',
  purge: 'bulk',
  'mark-settled': 'hot',
  'mark-logged': 'hot',
  copy: 'bulk',
  // While these are on their way, writes of the partition wait.
  seal: 'hot',
  'sealed-records': 'hot',
  stage: 'hot',
  activate: 'hot',
  gossip: 'bulk',
  'config-prepare': 'hot',
  'config-accept': 'hot',
  ping: 'hot',
};

const COORDINATION_LANES: Readonly<Record<CoordinationRequest['kind'], Lane>> = {
  'coordinate-write': 'hot',
  'coordinate-read': 'hot',
  'coordinate-look': 'hot',
  'coordinate-range': 'bulk',
  'collection-size': 'hot',
  'use-derivation': 'hot',
  'due-of': 'bulk',
  'tables-in': 'bulk',
  'count-items': 'bulk',
  'fence-tables': 'hot',
  'forget-table': 'bulk',
  'read-log': 'bulk',
  'log-ends': 'bulk',
  'end-log': 'bulk',
  'trim-log': 'bulk',
  'drain-log': 'bulk',
};

/** Between storage nodes (docs/protocol.md section 12.1). */
export const RING_CHANNEL: Channel<Request, Reply> = {
  number: 0,
  requests: REQUEST_CODEC,
  answersTo: () => REPLY_CODEC,
  lane: ({ kind }) => RING_LANES[kind],
  isUnsupported: isOfNewerRelease,
};

/** Whatever a node may answer. */
type CoordinationAnswer = ReturnType<ReturnType<typeof answerCodec>['decode']>;

/** From a client of the ring to a node (docs/protocol.md section 12.2). */
export const COORDINATION_CHANNEL: Channel<CoordinationRequest, CoordinationAnswer> = {
  number: 1,
  requests: COORDINATION_REQUEST_CODEC,
  answersTo: ({ kind }) => answerCodec(kind),
  lane: ({ kind }) => COORDINATION_LANES[kind],
  isUnsupported: isOfNewerRelease,
};

function isOfNewerRelease(error: unknown): boolean {
  return error instanceof WireError && (error.reason === 'unknown-kind' || error.reason === 'unknown-version');
}
