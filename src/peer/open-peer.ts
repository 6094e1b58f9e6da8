import type { NodeLimits, NodeSettings } from '../dynamo/node-settings.ts';
import { SOUND_RULES } from '../dynamo/rules.ts';
import type { StoreDamagedError } from '../env/store-damage.ts';
import { Peer, type PeerParts } from './peer.ts';

/** What is the same for each node of a process. */
interface ProcessSettings
  extends Pick<
    NodeSettings,
    'writeQuorum' | 'readQuorum' | 'readFrom' | 'readRepair' | 'antiEntropyIntervalMs' | 'scrubIntervalMs'
  > {
  readonly limits: { readonly node: NodeLimits };
}

/** A node to be opened on its disk. */
export interface Opening extends Pick<NodeSettings, 'id' | 'diskId' | 'ring' | 'isBootstrap' | 'onHint'> {
  readonly settings: ProcessSettings;
  /** Its `onDamaged` is taken until the node is open. */
  readonly store: PeerParts['env']['store'] & { onDamaged: ((damage: StoreDamagedError) => void) | undefined };
  readonly env: Omit<PeerParts['env'], 'store'>;
  readonly transport: PeerParts['transport'];
  /** Makes the error to be told of a disk that cannot be written. */
  readonly unwritable: (error: Error) => Error;
}

/**
 * Opens a node by the rules that are sound. Its boot number and votes are on disk when this resolves, but for flushes that
 * promise nothing.
 * @throws StoreDamagedError if the disk is found to be damaged meanwhile, and what `unwritable` makes
 */
export function openPeer(opening: Opening): Promise<Peer> {
  const { id, diskId, ring, isBootstrap, onHint, settings, store, env, transport, unwritable } = opening;
  const { writeQuorum, readQuorum, readFrom, readRepair, antiEntropyIntervalMs, scrubIntervalMs, limits } = settings;
  const nodeSettings: NodeSettings = {
    id,
    diskId,
    writeQuorum,
    readQuorum,
    readFrom,
    readRepair,
    antiEntropyIntervalMs,
    scrubIntervalMs,
    ring,
    isBootstrap,
    limits: limits.node,
    rules: SOUND_RULES,
    onHint,
  };
  return new Promise((resolve, reject) => {
    store.onDamaged = reject;
    Peer.open({ settings: nodeSettings, env: { ...env, store }, transport }, (peer, error) => {
      if (peer === undefined) reject(unwritable(error!));
      else resolve(peer);
    });
  });
}
