import { type DataDirectoryView, viewDataDirectory } from '../env/data-directory.ts';
import { type PeerDirectoryView, viewPeerDirectory } from '../env/peer-directory.ts';
import { configsOf } from '../peer/founding.ts';
import { peerNodeId } from '../peer/node-name.ts';
import { InspectError } from './inspect-error.ts';
import { configsActedOn } from './node-summary.ts';
import { reading } from './read-rows.ts';

/**
 * Looks into the data directory of a server with all nodes, or of one node of a cluster of several processes.
 *
 * @throws InspectError if the disk is of no cluster yet; DataDirectoryError
 */
export async function directoryView(directory: string): Promise<DataDirectoryView> {
  const peer = await viewPeerDirectory(directory);
  return peer === undefined ? viewDataDirectory(directory) : clusterView(peer);
}

async function clusterView({ path, formatVersion, record, isInUse, storePath }: PeerDirectoryView) {
  const { name, diskId, boot, right, state, cluster } = record;
  if (cluster === undefined) {
    const founds = right === undefined ? 'it waits for one' : `it founds one with ${right.founders.join(', ')}`;
    throw new InspectError(`${path} is the disk of ${name}, which is of no cluster: ${founds}`);
  }
  const { clusterId, partitions, replication, members } = cluster;
  const configs = configsOf(cluster);
  const known = storePath === undefined ? [] : await reading(storePath, configsActedOn);
  for (const config of typeof known === 'string' ? [] : known) {
    if (config.epoch > configs[config.partition]!.epoch) configs[config.partition] = config;
  }
  const id = peerNodeId(name, diskId);
  const founders = members.map((member) => ({ node: peerNodeId(member.name, member.diskId), diskId: member.diskId }));
  return {
    path,
    formatVersion,
    isInUse,
    cluster: {
      clusterId,
      partitions,
      replication,
      firstNodes: members.length,
      lastNode: 0,
      starts: boot,
      lastAttempt: 0,
      nodes: founders,
      configs,
    },
    nodes: storePath === undefined || state !== 'formed' ? [] : [{ id, folder: storePath }],
  };
}
