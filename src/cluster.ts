import { randomBytes, randomUUID } from 'node:crypto';
import type { Config } from './config.ts';
import type { PartitionConfig, Reply, Request } from './dynamo/messages.ts';
import { StorageNode } from './dynamo/node.ts';
import { assignPartitions, type NodeId } from './dynamo/ring.ts';
import { RingClient } from './dynamo/ring-client.ts';
import { SOUND_RULES } from './dynamo/rules.ts';
import { SystemClock, type Timer } from './env/clock.ts';
import { type ClusterShape, type DataDirectory, DataDirectoryError, openDataDirectory } from './env/data-directory.ts';
import { LmdbStore } from './env/lmdb-store.ts';
import { LocalTransport } from './env/local-transport.ts';
import type { Log } from './env/log.ts';
import { SystemRandom } from './env/random.ts';
import { openTemporaryDirectory, removeLeftovers } from './env/temporary-directory.ts';
import { createRouter } from './router/router.ts';
import { listen } from './web/listen.ts';
import { createWebServer, type WebServer } from './web/server.ts';

/** A whole Dynaring in one process: the storage nodes, a router and a web server. */
export interface Cluster {
  /** Where it listens; with port 0 this is how to learn the port. */
  readonly addresses: readonly { readonly host: string; readonly port: number }[];
  /** For mounting it in another server of this process. */
  readonly web: WebServer;
  /** Ends it: no new requests, those under way get `limits.stopGraceMs`, then everything is flushed and released. */
  stop(): Promise<void>;
}

/**
 * The composition root: from here on, and only here, everybody knows which implementations they run on.
 * Resolves once requests can be served.
 *
 * @throws `DataDirectoryError`, or the system's error if an address cannot be listened on; nothing is left behind then
 */
export async function startCluster(config: Config, log: Log): Promise<Cluster> {
  const undo: (() => Promise<void>)[] = [];
  /** Tries every step, so that one that fails leaves nothing else behind; then throws what the first one threw. */
  const undoAll = async () => {
    const failures: unknown[] = [];
    for (const step of undo.splice(0).reverse()) await step().catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  };
  try {
    const directory = await openDirectory(config);
    undo.push(() => directory.close());
    const ring = await startRing(config, directory, log, undo);
    const clock = new SystemClock();
    const web = createWebServer({
      execute: createRouter({ client: ring, newId: randomUUID }),
      nowMs: () => clock.now(),
      requestId: createRequestIds(),
      isReady: () => true,
      onInternalError: (error) => log.error('a request failed by a bug', { error }),
      limits: config.limits.web,
    });
    const listening = await listen(web, config.hosts, config.port);
    undo.push(() => {
      let timer: Timer;
      const grace = new Promise<void>((resolve) => {
        timer = clock.after(config.limits.stopGraceMs, resolve);
      });
      return listening.close(grace).finally(() => clock.cancel(timer));
    });
    if (config.dataDir === undefined) {
      // Not awaited: it may take its time, and it never rejects.
      removeLeftovers(directory, clock.now()).then((paths) => {
        for (const path of paths) log.info('removed the data of a killed server', { path });
      });
    }
    return { addresses: listening.addresses, web, stop: undoAll };
  } catch (error) {
    // What went wrong first is what the user can change.
    await undoAll().catch((failure: unknown) => log.error('could not release everything', { error: failure }));
    throw error;
  }
}

function openDirectory({ dataDir, partitions, replication, nodes }: Config): Promise<DataDirectory> {
  if (dataDir === undefined) return openTemporaryDirectory();
  return openDataDirectory(dataDir, { partitions, replication, nodes });
}

/** Starts the storage nodes on their disks. What has to be undone to stop them is added to `undo`. */
async function startRing(
  config: Config,
  directory: DataDirectory,
  log: Log,
  undo: (() => Promise<void>)[],
): Promise<RingClient> {
  const { partitions, replication } = config;
  const ids = Array.from({ length: config.nodes }, (_, i): NodeId => `node-${i + 1}`);
  const shape: ClusterShape = directory.cluster ?? {
    partitions,
    replication,
    nodes: ids.map((id) => ({ id, diskId: randomBytes(6).toString('hex') })),
  };
  const disks = new Map(shape.nodes.map(({ id, diskId }) => [id, Number.parseInt(diskId, 16)]));
  const assignment = assignPartitions(partitions, ids, replication);
  const bootstrap = assignment.map(
    (members, partition): PartitionConfig => ({
      partition,
      epoch: 0,
      members: members.map((node) => ({ node, diskId: disks.get(node)! })),
    }),
  );

  const network = new LocalTransport<Request, Reply>();
  const nodes = new Map<NodeId, StorageNode>();
  for (const id of ids) {
    const store = new LmdbStore(directory.nodePath(id), {
      durability: config.durability,
      lazyFlushMs: config.limits.lazyFlushMs,
    });
    undo.push(() => store.close());
    const settings = {
      id,
      diskId: disks.get(id)!,
      writeQuorum: config.writeQuorum,
      readQuorum: config.readQuorum,
      readFrom: config.readFrom,
      // Where a cluster file exists, a node that has lost its rows must not vote as if it never had any.
      bootstrap: directory.cluster === undefined ? bootstrap : undefined,
      limits: config.limits.node,
      rules: SOUND_RULES,
    };
    const env = { clock: new SystemClock(), random: new SystemRandom(), log, store };
    const node = await openNode(settings, env, network);
    undo.push(async () => {
      node.stop();
      network.unregister(id);
    });
    if (!node.isMember) {
      throw new DataDirectoryError(
        `${id} has lost its data in ${directory.path}; restore it or begin a new data directory`,
      );
    }
    // Its boot number and its partitions must not come back as they were, even if flushes promise nothing.
    if (config.dataDir !== undefined) await store.settle();
    nodes.set(id, node);
  }
  // Written last: only when every node durably has its rows may a later start take their absence for a lost disk.
  if (directory.cluster === undefined) directory.saveCluster(shape);
  for (const node of nodes.values()) await new Promise<void>((resolve) => node.finishAccepted(resolve));
  return new RingClient(assignment, nodes);
}

function openNode(
  settings: Parameters<typeof StorageNode.open>[0],
  env: Parameters<typeof StorageNode.open>[1],
  network: LocalTransport<Request, Reply>,
): Promise<StorageNode> {
  return new Promise((resolve, reject) => {
    StorageNode.open(settings, env, network.transport(settings.id), (node, error) => {
      if (node === undefined) return reject(error);
      network.register(settings.id, node.receive);
      resolve(node);
    });
  });
}

/** Ids in the service's form, 52 capital letters and digits: random ones for the process, then a count. */
function createRequestIds(): () => string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';
  const prefix = Array.from(randomBytes(40), (byte) => alphabet[byte % alphabet.length]).join('');
  let count = 0;
  return () => prefix + (count++).toString(36).toUpperCase().padStart(12, '0');
}
