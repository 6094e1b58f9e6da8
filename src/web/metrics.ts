import { Counter, Gauge, Registry } from 'prom-client';
import { addPeers, type PeerFigures } from './peer-metrics.ts';
import { LATENCY_BUCKETS_S, type OperationTally } from './request-meter.ts';

/** What one storage node counts and holds. */
export interface NodeFigures {
  readonly node: string;
  readonly state: 'up' | 'paused' | 'stopped';
  /** The figures are undefined while the node is stopped, and start from zero when it starts. */
  readonly figures:
    | {
        readonly partitions: number;
        readonly sealed: number;
        readonly suspects: number;
        readonly hints: number;
        readonly hintBytes: number;
        readonly owed: number;
        readonly settling: number;
        readonly entriesConfirmed: number;
        readonly propagationHeld: number;
        readonly epochsBegun: number;
        readonly repairs: number;
        readonly recordsRepaired: number;
        readonly hashesExchanged: number;
        readonly repairBytesExchanged: number;
        readonly tombstonesPurged: number;
        readonly damagedKeys: number;
        readonly damagedFound: number;
        readonly damagedRestored: number;
        readonly damagedUnproven: number;
        readonly damagedHints: number;
        readonly scrubs: number;
        readonly recordsScrubbed: number;
      }
    | undefined;
}

export interface FaultFigures {
  readonly id: string;
  readonly kind: string;
  readonly fired: number;
}

export interface ExpiryFigures {
  readonly deleted: number;
  readonly scheduled: number;
}

/** A table to whose items entries of its indexes are being made. */
export interface BuildFigures {
  readonly namespace: string;
  readonly table: string;
  readonly indexes: readonly string[];
  /** Partitions of the table that are done. */
  readonly partitionsDone: number;
  readonly items: number;
}

/** What is read when the metrics are requested. */
export interface MetricSources {
  readonly requests: () => readonly OperationTally[];
  readonly requestsInFlight: () => number;
  readonly nodes: () => readonly NodeFigures[];
  readonly faults: () => readonly FaultFigures[];
  readonly expiry: () => ExpiryFigures;
  readonly builds: () => readonly BuildFigures[];
  /** Of a process of several; undefined: all nodes are in this one. */
  readonly peers?: (() => PeerFigures) | undefined;
}

export interface MetricsText {
  readonly contentType: string;
  readonly text: string;
}

const STATES = ['up', 'paused', 'stopped'] as const;
type Figure = keyof NonNullable<NodeFigures['figures']>;

/** For each figure: its name, its help text, and whether it only grows while the node runs. */
const FIGURES: Readonly<Record<Figure, readonly [name: string, help: string, kind: 'gauge' | 'counter']>> = {
  partitions: ['dynaring_node_partitions', 'Partitions in which the node votes', 'gauge'],
  sealed: ['dynaring_node_partitions_sealed', 'Of those, the ones that wait for their next epoch', 'gauge'],
  suspects: ['dynaring_node_suspects', 'Other nodes that it takes for down', 'gauge'],
  hints: ['dynaring_node_hints', 'Records that it keeps for other nodes', 'gauge'],
  hintBytes: ['dynaring_node_hint_bytes', 'The bytes of those records', 'gauge'],
  owed: ['dynaring_node_items_owed', 'Items whose entries in global indexes are not known to be in place', 'gauge'],
  settling: ['dynaring_node_items_settling', 'Items whose entries it is putting in place as a coordinator', 'gauge'],
  entriesConfirmed: [
    'dynaring_node_entries_confirmed_total',
    'Entries of global indexes that it has put in place or removed',
    'counter',
  ],
  propagationHeld: [
    'dynaring_node_propagations_held',
    'Items whose entries fault rules hold back before they are sent',
    'gauge',
  ],
  epochsBegun: ['dynaring_node_epochs_begun_total', 'Epochs of partitions that it has begun to vote in', 'counter'],
  repairs: ['dynaring_node_repairs_total', 'Comparisons of a partition with another replica that it led', 'counter'],
  recordsRepaired: ['dynaring_node_records_repaired_total', 'Records that those brought up to date', 'counter'],
  hashesExchanged: ['dynaring_node_repair_hashes_total', 'Merkle hashes that those exchanged', 'counter'],
  repairBytesExchanged: ['dynaring_node_repair_bytes_total', 'Bytes that those exchanged', 'counter'],
  tombstonesPurged: ['dynaring_node_tombstones_purged_total', 'Tombstones that it led the purge of', 'counter'],
  damagedKeys: [
    'dynaring_node_damaged_keys',
    'Keys with a stored record that it cannot read, as far as it knows',
    'gauge',
  ],
  damagedFound: ['dynaring_node_damaged_records_total', 'Keys that it has found to be damaged', 'counter'],
  damagedRestored: ['dynaring_node_damaged_records_restored_total', 'Those that others have restored', 'counter'],
  damagedUnproven: [
    'dynaring_node_damaged_records_unproven_total',
    'Of those, the ones that were damaged on so many replicas that a newer record may be lost',
    'counter',
  ],
  damagedHints: ['dynaring_node_damaged_hints_total', 'Hints that it could not read and has dropped', 'counter'],
  scrubs: ['dynaring_node_scrubs_total', 'Times that it has read all that it has stored', 'counter'],
  recordsScrubbed: ['dynaring_node_records_scrubbed_total', 'Stored values that it read for that', 'counter'],
};

/** All metrics at this moment, in Prometheus's text format. */
export async function renderMetrics(sources: MetricSources): Promise<MetricsText> {
  // Created for each request: the counts are kept elsewhere, and series of removed nodes and rules must not stay.
  const registry = new Registry();
  addRequests(registry, sources);
  addNodes(registry, sources.nodes());
  addFaults(registry, sources.faults());
  addExpiry(registry, sources.expiry());
  addBuilds(registry, sources.builds());
  if (sources.peers !== undefined) addPeers(registry, sources.peers());
  return { contentType: registry.contentType, text: await registry.metrics() };
}

function addRequests(registry: Registry, { requests, requestsInFlight }: MetricSources): void {
  const registers = [registry];
  const total = new Counter({
    name: 'dynaring_requests_total',
    help: 'Requests by operation, class of the status (none: no answer), and error (empty: none; client-gone: a read was given up, as its client had gone)',
    labelNames: ['operation', 'status', 'error'],
    registers,
  });
  const labelNames = ['operation'];
  const received = new Counter({
    name: 'dynaring_received_bytes_total',
    help: 'Bytes of request bodies, as received',
    labelNames,
    registers,
  });
  const sent = new Counter({ name: 'dynaring_sent_bytes_total', help: 'Bytes of answers', labelNames, registers });
  const inFlight = new Gauge({
    name: 'dynaring_requests_in_flight',
    help: 'Requests that are not answered yet',
    registers,
  });
  const tallies = requests();
  for (const { operation, outcomes, receivedBytes, sentBytes } of tallies) {
    for (const [outcome, count] of outcomes) {
      const [status, error = ''] = outcome.split(' ', 2);
      total.inc({ operation, status: status === '0' ? 'none' : `${status![0]}xx`, error }, count);
    }
    received.inc({ operation }, receivedBytes);
    sent.inc({ operation }, sentBytes);
  }
  inFlight.set(requestsInFlight());
  // prom-client's Histogram can only observe single requests. A registry accepts any object with a name and `get`.
  const histogram = latencyHistogram(tallies);
  registry.registerMetric({ name: histogram.name, get: async () => histogram } as unknown as Gauge);
}

function latencyHistogram(tallies: readonly OperationTally[]) {
  const name = 'dynaring_request_duration_seconds';
  const values = tallies.flatMap(({ operation, latencies, latencySumMs }) => {
    let count = 0;
    const buckets = Array.from(latencies, (inBucket, i) => {
      count += inBucket;
      return { metricName: `${name}_bucket`, labels: { operation, le: LATENCY_BUCKETS_S[i] ?? '+Inf' }, value: count };
    });
    const labels = { operation };
    return [
      ...buckets,
      { metricName: `${name}_sum`, labels, value: latencySumMs / 1000 },
      { metricName: `${name}_count`, labels, value: count },
    ];
  });
  const help = 'From the arrival of the whole request to the answer, by operation';
  return { name, help, type: 'histogram', values, aggregator: 'sum' };
}

function addNodes(registry: Registry, nodes: readonly NodeFigures[]): void {
  const registers = [registry];
  const labelNames = ['node'];
  const states = new Gauge({
    name: 'dynaring_node_state',
    help: '1 for the state that the node is in',
    labelNames: ['node', 'state'],
    registers,
  });
  for (const { node, state } of nodes) {
    for (const each of STATES) states.set({ node, state: each }, each === state ? 1 : 0);
  }
  for (const [figure, [name, help, kind]] of Object.entries(FIGURES) as [Figure, (typeof FIGURES)[Figure]][]) {
    const metric =
      kind === 'gauge'
        ? new Gauge({ name, help, labelNames, registers })
        : new Counter({ name, help, labelNames, registers });
    for (const { node, figures } of nodes) if (figures !== undefined) metric.inc({ node }, figures[figure]);
  }
}

function addFaults(registry: Registry, faults: readonly FaultFigures[]): void {
  const fired = new Counter({
    name: 'dynaring_fault_rule_fired_total',
    help: 'How often each fault rule in force has fired',
    labelNames: ['rule', 'kind'],
    registers: [registry],
  });
  for (const { id, kind, fired: count } of faults) fired.inc({ rule: id, kind }, count);
}

function addBuilds(registry: Registry, builds: readonly BuildFigures[]): void {
  const labelNames = ['namespace', 'table', 'index'];
  const registers = [registry];
  const partitions = new Gauge({
    name: 'dynaring_index_build_partitions_done',
    help: 'Partitions of the table whose items have entries in an index that is being built',
    labelNames,
    registers,
  });
  const items = new Gauge({
    name: 'dynaring_index_build_items',
    help: 'Items that were looked at for that',
    labelNames,
    registers,
  });
  for (const { namespace, table, indexes, partitionsDone, items: done } of builds) {
    for (const index of indexes) {
      partitions.set({ namespace, table, index }, partitionsDone);
      items.set({ namespace, table, index }, done);
    }
  }
}

function addExpiry(registry: Registry, { deleted, scheduled }: ExpiryFigures): void {
  const registers = [registry];
  new Counter({
    name: 'dynaring_expired_items_deleted_total',
    help: 'Items that were deleted because they had expired',
    registers,
  }).inc(deleted);
  new Gauge({
    name: 'dynaring_expiring_items_scheduled',
    help: 'Items that are kept in memory because they expire next',
    registers,
  }).set(scheduled);
}
