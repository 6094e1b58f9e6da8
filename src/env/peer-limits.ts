import type { Lane } from './peer-channel.ts';

/** The bounds of a transport between processes. */
export interface PeerLimits {
  /** The longest frame that is written or accepted. Longer: one message delays those behind it. */
  readonly frameBytes: Readonly<Record<Lane, number>>;
  /**
   * The longest message. What does not fit into one frame goes in several. Above a record twice: the JSON of an item of
   * 400 KB can take 3 MB. The receiver holds one message of this length for each connection.
   */
  readonly messageBytes: number;
  /** A longer message goes in a frame of its own: to copy it together with others costs more than a write. */
  readonly soloBytes: number;
  /** What may wait for one connection to a peer: with more, requests are not sent. Half of it for answers. */
  readonly queueBytes: Readonly<Record<Lane, number>>;
  readonly queuedMessages: number;
  /** Requests of a peer that may be unanswered; then no more are sent, and no more are read. Together 10,000. */
  readonly unanswered: Readonly<Record<Lane, number>>;
  /**
   * How long a request may wait to be written. With the time of `stallTicks` twice it has to stay below the life of a message
   * (`messageLifeMs` in src/dynamo/node-settings.ts), on which the purge of tombstones rests.
   */
  readonly queuedMs: number;
  /** How long an answer is waited for, from when the request was given. At most `messageLifeMs`. */
  readonly requestLifeMs: number;
  /**
   * Connections are cut if this process was stopped for so long: whatever is in the buffers of the system is then older
   * than a message may be.
   */
  readonly stallMs: number;
  /**
   * A process that was stopped for so long, or was kept from its sockets, hears what it reads then only from connections that
   * are not found closed in the same turn: others may have given up what they have asked. Below the time of `silentLooks`.
   */
  readonly doubtMs: number;
  /** How often connections are looked at. What follows counts such looks, so that a process that was stopped cuts nobody. */
  readonly tickMs: number;
  /**
   * A look that comes so much too late counts for a peer that is silent, not against it: a machine on which this process waits
   * for a processor may keep others waiting, too.
   */
  readonly lateMs: number;
  /** Looks without a byte written, after which a ping is: a second. */
  readonly pingTicks: number;
  /**
   * Looks in time without a byte from a peer on any connection, after which all of them are cut: two and a half seconds.
   * This ends what waits for a host that is gone without a word; reads are asked of others sooner (`quietAfterMs` in
   * src/dynamo/node-settings.ts).
   */
  readonly silentLooks: number;
  /**
   * Looks of any kind without a byte read, after which one connection is cut: eight seconds. A peer on a busy machine was seen
   * to write nothing for three.
   */
  readonly silentTicks: number;
  /**
   * Looks after which a connection is cut that takes no bytes, or is not read since its peer asks too much: ten seconds.
   */
  readonly stallTicks: number;
  /** From the beginning of a dial to the hello of the other side, for each address. */
  readonly dialMs: number;
  /** A peer that stops waits for so long until the others have ended what they ask it on. */
  readonly partMs: number;
  /** The pause before a peer is dialled again: doubles from the first to the longest, give or take half. */
  readonly firstRedialMs: number;
  readonly longestRedialMs: number;
  /** What a stranger may cost: bytes of its hello, time until it is there, strangers at a time, and by address in a second. */
  readonly helloBytes: number;
  readonly helloMs: number;
  readonly strangers: number;
  readonly strangersASecond: number;
  /** Connections that one peer may have dialled and not ended: one a lane, and some that are dead or about to end. */
  readonly connectionsOfPeer: number;
  /** Peers that may be connected at a time: whoever has the secret could else make up any number. */
  readonly peers: number;
}

const MIB = 1024 * 1024;

export const DEFAULT_PEER_LIMITS: PeerLimits = {
  frameBytes: { hot: MIB, bulk: 4 * MIB },
  messageBytes: 8 * MIB,
  soloBytes: MIB / 4,
  queueBytes: { hot: 8 * MIB, bulk: 32 * MIB },
  queuedMessages: 10_000,
  unanswered: { hot: 9_000, bulk: 1_000 },
  queuedMs: 10_000,
  requestLifeMs: 60_000,
  stallMs: 10_000,
  doubtMs: 2_000,
  tickMs: 250,
  lateMs: 100,
  pingTicks: 4,
  silentLooks: 10,
  silentTicks: 32,
  stallTicks: 40,
  dialMs: 3_000,
  partMs: 500,
  firstRedialMs: 50,
  longestRedialMs: 2_000,
  helloBytes: 4 * 1024,
  helloMs: 3_000,
  strangers: 64,
  strangersASecond: 20,
  connectionsOfPeer: 6,
  peers: 256,
};
