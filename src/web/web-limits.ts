/** What one web server holds at a time, and for how long. Requests beyond a limit are refused or cut, never queued. */
export interface WebLimits {
  /** The service's limit. */
  readonly maxBodyBytes: number;
  /** A request line and its headers together. The service's limit. */
  readonly maxHeaderBytes: number;
  /** Concurrent requests; further ones get a 503. Raising it costs memory under overload, up to an item per request. */
  readonly maxRequestsInFlight: number;
  /**
   * Pipelined requests (sent without waiting for an answer) of one client, and of all together. They are carried out
   * one by one; a client that exceeds it is cut. Each takes about 3 KB. Lower: clients that send many small requests at
   * once are cut.
   */
  readonly maxRequestsPerConnection: number;
  readonly maxRequestsWaiting: number;
  /**
   * Total bytes of request bodies above 16 KB, as received and as decompressed. Parsed, stored and encoded they take
   * six times that. When it is used up, stalled bodies are refused first. Lower: fewer concurrent large writes.
   */
  readonly maxBodyBytesInFlight: number;
  /**
   * Total bytes of answers above 64 KB that wait for their clients. When it is used up, clients that do not read are
   * cut first; then reads get a 503. Lower: fewer concurrent large reads. Must not be below the size of one answer, 22
   * MB.
   */
  readonly maxAnswerBytesInFlight: number;
  /** Bytes a second; a slower client is cut while it sends or reads a large body and there is no room for others. */
  readonly minTransferRate: number;
  /**
   * Objects and lists in one body, and their members together. The smallest that the service accepts is `{"S":""}`, of
   * which its 16 MB hold 1.9 million. Raising it costs 100 bytes for each.
   */
  readonly maxBodyContainers: number;
  readonly maxBodyMembers: number;
  /** Objects and lists in all bodies above 64 KB; at least the limit of one body. Beyond it, such a body gets a 503. */
  readonly maxBodyContainersInFlight: number;
  /** Sockets per address. When it is exceeded, an idle connection is closed; if none is idle, the new one. */
  readonly maxConnections: number;
  /** Time-out from the first byte of a connection or request to the end of its headers. */
  readonly headersTimeoutMs: number;
  /** Time-out from the first byte of a request to its last. */
  readonly requestTimeoutMs: number;
  /** Keep-alive time-out between requests. Longer than the SDKs' own, so that the client closes the connection. */
  readonly keepAliveTimeoutMs: number;
  /** Time-out without a byte in either direction: ends clients that do not read their answers. */
  readonly socketTimeoutMs: number;
  /** Concurrent requests to `/_dynaring/`. */
  readonly maxAdminRequestsInFlight: number;
  /** Body size of a fault rule or a link setting, which have some hundred bytes. They are parsed without a pause. */
  readonly maxAdminBodyBytes: number;
  /**
   * Body size of a snapshot to restore. Only one is accepted at a time, because it is parsed in memory. Below 512 MB,
   * V8's limit of a string.
   */
  readonly maxSnapshotBodyBytes: number;
}

const MIB = 1024 * 1024;

export const DEFAULT_WEB_LIMITS: WebLimits = {
  maxBodyBytes: 16 * MIB,
  maxHeaderBytes: 16 * 1024,
  maxRequestsInFlight: 1024,
  maxRequestsPerConnection: 512,
  maxRequestsWaiting: 16_384,
  maxBodyBytesInFlight: 32 * MIB,
  maxAnswerBytesInFlight: 64 * MIB,
  minTransferRate: 64 * 1024,
  maxBodyContainers: 2_000_000,
  maxBodyMembers: 4_000_000,
  maxBodyContainersInFlight: 2_500_000,
  maxConnections: 4096,
  headersTimeoutMs: 15_000,
  requestTimeoutMs: 60_000,
  keepAliveTimeoutMs: 75_000,
  socketTimeoutMs: 120_000,
  maxAdminRequestsInFlight: 16,
  maxAdminBodyBytes: 64 * 1024,
  maxSnapshotBodyBytes: 256 * MIB,
};
