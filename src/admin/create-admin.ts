import type {
  Admin,
  ClockMove,
  ClockView,
  KeyView,
  NodeAction,
  RepairSummary,
  ScrubSummary,
  SharedSettingsView,
  Snapshot,
  SweepSummary,
  Trace,
} from '../api/admin.ts';
import type { AttributeMap } from '../api/attribute-value.ts';
import { type ActiveFault, AdminError, type FaultRule } from '../api/fault-rule.ts';
import { ConfigError, readSharedSettings, sharedSettingsIn, sharedSettingsText } from '../config.ts';
import type { ItemKey } from '../dynamo/client.ts';
import { RingError } from '../dynamo/ring-error.ts';
import type { NodeControl } from '../host/ring-control.ts';
import type { GoalSettings } from '../peer/goal.ts';
import type { ServedRing } from '../peer/served-ring.ts';
import type { TraceLog } from '../trace/trace-log.ts';
import { describeCluster, nameOfNode, type Quorums } from './describe-cluster.ts';

export interface AdminParts {
  readonly ring: ServedRing;
  /** What may be done to single nodes and links. */
  readonly nodes: NodeControl;
  readonly settings: Quorums;
  /** Undefined if requests are not traced. */
  readonly traces: TraceLog | undefined;
  /** Finds the trace of a request that another process has served. Rejects with a RingError */
  readonly traceElsewhere?: ((requestId: string) => Promise<Trace | undefined>) | undefined;
  readonly faults: {
    add(rule: FaultRule): ActiveFault | Promise<ActiveFault>;
    list(): readonly ActiveFault[] | Promise<readonly ActiveFault[]>;
    /** @throws AdminError if there is none of that id */
    remove(id: string): void | Promise<void>;
    clear(): void | Promise<void>;
  };
  readonly tables: {
    reset(namespace?: string): Promise<void>;
    snapshot(namespace?: string): Promise<Snapshot>;
    restore(snapshot: Snapshot): Promise<void>;
    /** The key under which an item is stored. @throws ApiError as the service would: no such table, no such key */
    itemKey(table: string, key: AttributeMap, namespace: string): Promise<ItemKey>;
  };
  readonly expiry: {
    /** @returns how many items were deleted */
    sweep(): Promise<number>;
  };
  readonly clock: {
    view(): ClockView;
    /** @throws AdminError */
    move(move: ClockMove): ClockView;
    reset(): ClockView;
  };
  readonly lags: {
    /**
     * Releases records that rules of lag hold back, and waits until no replica is behind and no hint is left.
     * @throws RingError if that takes too long
     */
    waitUntilConsistent(): Promise<void>;
  };
}

/** What an administrator may do, over HTTP or from the program that runs the server. */
export function createAdmin(parts: AdminParts): Admin {
  const { ring, nodes, settings, traces, traceElsewhere, faults, tables, expiry, clock, lags } = parts;
  /** @param given the id of a node, or its name if that is nobody else's */
  const nodeNamed = (given: string, field: string): string => {
    const { nodes } = ring.describe();
    if (nodes.some(({ id }) => id === given)) return given;
    const named = nodes.filter(({ id }) => nameOfNode(id) === given);
    if (named.length === 0) throw new AdminError(`there is no node ${given}`, field);
    return named.at(-1)!.id;
  };
  const linkOf = (from: string, to: string): readonly [from: string, to: string] => {
    const [sender, receiver] = [nodeNamed(from, 'from'), nodeNamed(to, 'to')];
    if (sender === receiver) throw new AdminError('there is no link from a node to itself', 'to');
    return [sender, receiver];
  };
  const trace = (requestId: string): Trace | undefined => traces?.trace(requestId, (diskId) => ring.nodeOfDisk(diskId));
  return {
    addFault: (rule) => faults.add(rule),
    faults: () => faults.list(),
    async removeFault(id) {
      const known = await faults.list();
      if (!known.some((fault) => fault.id === id)) throw new AdminError(`there is no fault rule ${id}`, 'id', 404);
      await faults.remove(id);
    },
    clearFaults: () => faults.clear(),
    async node(id, action) {
      const node = nodeNamed(id, 'id');
      await actOn(nodes, node, action).catch((error: unknown) => conflict(error, 'action'));
    },
    addNode: () => nodes.addNode().catch((error: unknown) => conflict(error)),
    async removeNode(id) {
      await nodes.removeNode(nodeNamed(id, 'id')).catch((error: unknown) => conflict(error, 'id'));
    },
    async finalize() {
      if (nodes.finalize === undefined) {
        throw new AdminError('all nodes are of one process, and so of one release', undefined, 409);
      }
      const { before, level, because } = await nodes.finalize().catch((error: unknown) => conflict(error));
      return { before, level, because };
    },
    async movePartition(partition, to) {
      const wanted = to.map((id) => nodeNamed(id, 'to'));
      if (nodes.movePartition === undefined) {
        const line = 'the partitions of one process move by themselves, when nodes are added and removed';
        throw new AdminError(line, undefined, 409);
      }
      const from = await nodes.movePartition(partition, wanted).catch((error: unknown) => conflict(error));
      return { partition, from, to: wanted.map(nameOfNode) };
    },
    async setLink(from, to, setting) {
      const link = linkOf(from, to);
      try {
        await nodes.setLink(...link, setting);
      } catch (error) {
        wrongLink(error);
      }
    },
    async healLink(from, to) {
      const link = linkOf(from, to);
      try {
        await nodes.healLink(...link);
      } catch (error) {
        wrongLink(error);
      }
    },
    repair: (): Promise<RepairSummary> => ring.repair().catch((error: unknown) => conflict(error)),
    scrub: (): Promise<ScrubSummary> => ring.scrub().catch((error: unknown) => conflict(error)),
    waitUntilConsistent: () => lags.waitUntilConsistent().catch((error: unknown) => conflict(error)),
    sweep: async (): Promise<SweepSummary> => ({ deleted: await expiry.sweep() }),
    clock: () => clock.view(),
    moveClock: (move) => clock.move(move),
    resetClock: () => clock.reset(),
    settings: () => sharedSettings(nodes, {}),
    changeSettings: (given) => sharedSettings(nodes, given),
    async reset(namespace) {
      await tables.reset(namespace);
      // The tests of other namespaces go by the same clock.
      if (namespace === undefined) clock.reset();
    },
    snapshot: (namespace) => tables.snapshot(namespace),
    restore: (snapshot) => tables.restore(snapshot),
    cluster: async () => describeCluster(await ring.examine(), settings),
    async key(table, key, namespace): Promise<KeyView> {
      return ring.locate(await tables.itemKey(table, key, namespace ?? ''));
    },
    trace,
    findTrace: async (requestId) =>
      trace(requestId) ?? (await traceElsewhere?.(requestId).catch((error: unknown) => conflict(error, 'requestId'))),
  };
}

/** @param given what is to be changed, by the names of flags */
async function sharedSettings(
  nodes: NodeControl,
  given: Readonly<Record<string, unknown>>,
): Promise<SharedSettingsView> {
  if (nodes.settings === undefined) {
    throw new AdminError('the settings of a server of one process are given when it starts', undefined, 409);
  }
  const settings = await nodes.settings(settingsIn(given)).catch((error: unknown) => conflict(error));
  return sharedSettingsText(sharedSettingsIn(settings));
}

function settingsIn(given: Readonly<Record<string, unknown>>): GoalSettings {
  try {
    return readSharedSettings(given);
  } catch (error) {
    throw error instanceof ConfigError ? new AdminError(error.message) : error;
  }
}

/** Turns a refusal of the ring, which depends on the state it is in, into a 409. */
function conflict(error: unknown, field?: string): never {
  throw error instanceof RingError ? new AdminError(error.message, field, 409) : error;
}

async function actOn(nodes: NodeControl, id: string, action: NodeAction): Promise<void> {
  switch (action) {
    case 'stop':
      return nodes.stop(id);
    case 'start':
      return nodes.start(id);
    case 'pause':
      return nodes.pause(id);
    case 'resume':
      return nodes.resume(id);
    case 'wipe':
      return nodes.wipe(id);
    case 'replace':
      if (nodes.replaceNode !== undefined) return nodes.replaceNode(id);
      throw new RingError('the nodes of one process get an empty disk by themselves when theirs is lost');
  }
}

/** Turns a refusal of what was set into a 400 if it names a field, and else into a 409. */
function wrongLink(error: unknown): never {
  if (error instanceof RingError && error.field !== undefined) throw new AdminError(error.message, error.field);
  return conflict(error);
}
