import type { Config } from '../config.ts';
import type { Reply, Request } from '../dynamo/messages.ts';
import type { KeptHint } from '../dynamo/node-settings.ts';
import { checkNodeState } from '../dynamo/node-state.ts';
import type { Clock } from '../env/clock.ts';
import { DataDirectoryError } from '../env/cluster-file.ts';
import { LmdbStore } from '../env/lmdb-store.ts';
import type { Log } from '../env/log.ts';
import type { PeerDirectory } from '../env/peer-directory.ts';
import type { Random } from '../env/random.ts';
import { StoreDamagedError } from '../env/store-damage.ts';
import type { Transport } from '../env/transport.ts';
import { DiskWatch } from '../host/disk-watch.ts';
import { readIdentity, readLastStart, writeIdentity, writeLastStart } from '../peer/disk-identity.ts';
import { configsOf } from '../peer/founding.ts';
import { peerNodeId } from '../peer/node-name.ts';
import { openPeer } from '../peer/open-peer.ts';
import type { Peer } from '../peer/peer.ts';

export interface PeerNodeParts {
  /** Its record is `formed`. */
  readonly directory: PeerDirectory;
  readonly config: Config;
  readonly transport: Transport<Request, Reply>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly onHint: ((hint: KeptHint) => void) | undefined;
  /** The disk of the running node is damaged: nothing it says counts any more. @param reason one line */
  readonly onDamaged: (reason: string) => void;
}

/** The node of this process, on its disk. */
export interface PeerNode {
  readonly peer: Peer;
  /** Ends the node at once, and closes its store. */
  close(): Promise<void>;
}

/**
 * Starts the node of a process on its disk. Its votes and its boot number are durable before it hears or says anything.
 *
 * @throws DataDirectoryError if the disk is damaged, or is not what its record says
 */
export async function openPeerNode(parts: PeerNodeParts): Promise<PeerNode> {
  const { directory, clock, log } = parts;
  const store = openStore(parts);
  const watch = new DiskWatch(clock, log);
  try {
    checkNodeState(store);
    identify(directory, store);
    const { name, diskId, cluster, storeBoot } = directory.record;
    const peer = await openPeer({
      id: peerNodeId(name, diskId),
      diskId,
      ring: configsOf(cluster!),
      // A node that was taken in later is named by no config of epoch 0: it takes no vote by this.
      isBootstrap: storeBoot === undefined,
      onHint: parts.onHint,
      settings: parts.config,
      store,
      env: { clock, random: parts.random, log },
      transport: parts.transport,
      unwritable: ({ message }) => new DataDirectoryError(`cannot write in ${directory.storePath}: ${message}`),
    });
    await store.settle();
    // From now on an empty store is a lost one, and one that knows less an old copy.
    directory.save({ ...directory.record, storeBoot: directory.record.boot });
    store.onDamaged = ({ message }) => parts.onDamaged(damageText(directory, message));
    store.onWritten = (refusal) => {
      if (refusal === undefined) watch.taken(peer.id);
      else watch.refused(peer.id, directory.storePath, refusal);
    };
    peer.node.startBackground();
    return {
      peer,
      async close() {
        watch.stop();
        peer.stop();
        await store.close();
      },
    };
  } catch (error) {
    await store.close();
    throw error instanceof StoreDamagedError ? new DataDirectoryError(damageText(directory, error.message)) : error;
  }
}

function openStore({ directory, config, log }: PeerNodeParts): LmdbStore {
  const { record, storePath } = directory;
  const { durability, limits } = config;
  const owner = `${peerNodeId(record.name, record.diskId)} of cluster ${record.cluster!.clusterId}`;
  try {
    const store = new LmdbStore(storePath, { durability, lazyFlushMs: limits.lazyFlushMs, owner });
    if (store.loss !== undefined) {
      const why = 'the machine was restarted, or is not known not to be';
      log.warn('a node may have lost writes that were acknowledged', { path: storePath, found: store.loss, why });
    }
    return store;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    if (error instanceof StoreDamagedError) throw new DataDirectoryError(damageText(directory, reason));
    throw new DataDirectoryError(`cannot open the data in ${storePath}: ${reason}`);
  }
}

/** What an operator can do about a damaged disk: the node must not vote by what is left of it. */
function damageText({ path, record }: PeerDirectory, reason: string): string {
  return (
    `the disk of ${record.name} in ${path} is damaged (${reason}): put it back, ` +
    `or empty the directory and have the node replaced by dynaring admin replace ${record.name}`
  );
}

/** Makes sure that a store belongs to its directory. @throws DataDirectoryError, StoreDamagedError */
function identify({ record, storePath }: PeerDirectory, store: LmdbStore): void {
  const { name, diskId, boot, storeBoot } = record;
  const { clusterId } = record.cluster!;
  const node = peerNodeId(name, diskId);
  const found = readIdentity(store);
  if (found === undefined) {
    if (storeBoot !== undefined) throw new StoreDamagedError('data.mdb has lost its contents');
    writeIdentity(store, { clusterId, node, diskId });
  } else if (found.clusterId !== clusterId || found.node !== node) {
    throw new DataDirectoryError(`${storePath} holds the data of ${found.node} of cluster ${found.clusterId}`);
  }
  const last = readLastStart(store);
  if (storeBoot !== undefined && last < storeBoot) {
    throw new StoreDamagedError(`is an old copy of itself: it was last used with start ${last}, not ${storeBoot}`);
  }
  writeLastStart(store, boot);
}
