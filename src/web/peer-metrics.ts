import { Counter, Gauge, type Registry } from 'prom-client';

/** What a process of a cluster counts of its connections to the others, since its start. */
export interface PeerFigures {
  /** The other nodes that hold the ring. */
  readonly peers: readonly { readonly node: string; readonly isUp: boolean }[];
  readonly connections: number;
  readonly sentMessages: number;
  readonly receivedMessages: number;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly frames: number;
  readonly lost: number;
  readonly notSent: Readonly<Record<string, number>>;
  readonly refused: Readonly<Record<string, number>>;
  readonly cut: Readonly<Record<string, number>>;
}

/** For each count by reason: its name and its help text. */
const BY_REASON = {
  notSent: ['dynaring_peer_not_sent_total', 'Requests to other processes that were not sent, by reason'],
  refused: ['dynaring_peer_refused_total', 'Connections that were closed before their hello was accepted, by reason'],
  cut: ['dynaring_peer_cut_total', 'Connections to other processes that ended, by reason'],
} as const;

/** Adds what is known of other processes. */
export function addPeers(registry: Registry, figures: PeerFigures): void {
  const registers = [registry];
  const up = new Gauge({
    name: 'dynaring_peer_up',
    help: 'Whether there is a connection to the node of another process: 1, or 0',
    labelNames: ['node'],
    registers,
  });
  for (const { node, isUp } of figures.peers) up.set({ node }, isUp ? 1 : 0);
  new Gauge({
    name: 'dynaring_peer_connections',
    help: 'Connections with other processes, in both directions',
    registers,
  }).set(figures.connections);
  const labelNames = ['direction'];
  const messages = new Counter({
    name: 'dynaring_peer_messages_total',
    help: 'Messages to (sent) and from (received) other processes',
    labelNames,
    registers,
  });
  messages.inc({ direction: 'sent' }, figures.sentMessages);
  messages.inc({ direction: 'received' }, figures.receivedMessages);
  const bytes = new Counter({
    name: 'dynaring_peer_bytes_total',
    help: 'Their bytes, before they are encrypted',
    labelNames,
    registers,
  });
  bytes.inc({ direction: 'sent' }, figures.sentBytes);
  bytes.inc({ direction: 'received' }, figures.receivedBytes);
  new Counter({
    name: 'dynaring_peer_frames_total',
    help: 'Writes that carried the messages which were sent',
    registers,
  }).inc(figures.frames);
  new Counter({
    name: 'dynaring_peer_lost_total',
    help: 'Requests to other processes that were sent, and whose answer never came',
    registers,
  }).inc(figures.lost);
  for (const [count, [name, help]] of Object.entries(BY_REASON) as [
    keyof typeof BY_REASON,
    readonly [string, string],
  ][]) {
    const counter = new Counter({ name, help, labelNames: ['reason'], registers });
    for (const [reason, times] of Object.entries(figures[count])) counter.inc({ reason }, times);
  }
}
