import { partitionOf, storeKeyOf } from '../dynamo/keyspace.ts';
import type { NodeId } from '../dynamo/ring.ts';
import type { RingView } from '../dynamo/ring-view.ts';
import { definitionKey } from '../router/definition-item.ts';
import type { PeerNetwork } from './peer-network.ts';

/** Any definition: all are in one partition. */
const DEFINITIONS = definitionKey({ namespace: '', name: '' });

/** The node whose router sweeps for all: of those that hold the definitions of tables, the first one that seems up. */
export function sweeperIn(view: RingView, { self, transport }: PeerNetwork): NodeId | undefined {
  const { members } = view.newestConfig(partitionOf(storeKeyOf(DEFINITIONS, view.partitions)));
  return members.find(({ node }) => node === self || transport.isUp(node))?.node;
}
