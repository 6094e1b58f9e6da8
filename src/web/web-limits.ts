/** What one web server holds at a time, and for how long. Beyond it, requests are shed or cut, never queued. */
export interface WebLimits {
  /** The service's limit. */
  readonly maxBodyBytes: number;
  /** Of a request line and its headers together. The service's limit. */
  readonly maxHeaderBytes: number;
  /**
   * Requests that are carried out at a time; what is beyond gets a 503. Raising it costs memory under overload, up to an item
   * per request.
   */
  readonly maxRequestsInFlight: number;
  /**
   * Requests that one client may send without waiting for an answer, and that all may together. They are carried out one by one;
   * with more, the client is cut. Each takes about 3 KB. Lower: those that send many small ones at once are cut.
   */
  readonly maxRequestsPerConnection: number;
  readonly maxRequestsWaiting: number;
  /**
   * Bytes of bodies of over 16 KB together, as received and as inflated. Parsed, stored and encoded they are six times that.
   * When it is used up, bodies that do not progress are refused first. Lower: fewer large writes at a time.
   */
  readonly maxBodyBytesInFlight: number;
  /**
   * Bytes of answers of over 64 KB that wait for their clients. When it is used up, clients that do not read are cut first;
   * then reads get a 503. Lower: fewer large reads at a time. Not below that of one answer, 22 MB.
   */
  readonly maxAnswerBytesInFlight: number;
  /** Bytes a second; who sends or reads a large body more slowly is cut when there is no room for others. */
  readonly minTransferRate: number;
  /**
   * Objects and lists in one body, and members of all of them. The least that the service takes for one is `{"S":""}`, of
   * which its 16 MB have 1.9 million. Raising it costs 100 bytes for each.
   */
  readonly maxBodyContainers: number;
  readonly maxBodyMembers: number;
  /** Objects and lists of bodies of over 64 KB together; at least that of one. Beyond it, such a body gets a 503. */
  readonly maxBodyContainersInFlight: number;
  /** Sockets per address. With one more, a connection that is not used ends, or the new one if all are. */
  readonly maxConnections: number;
  /** From a connection's or request's first byte to the end of its headers. */
  readonly headersTimeoutMs: number;
  /** From a request's first byte to its last. */
  readonly requestTimeoutMs: number;
  /** Between requests of one connection. Longer than the SDKs keep a connection, so that it is they who close it. */
  readonly keepAliveTimeoutMs: number;
  /** Without a byte in either direction: ends clients that do not read their answers. */
  readonly socketTimeoutMs: number;
  /** Requests to `/_dynaring/` that are carried out at a time. */
  readonly maxAdminRequestsInFlight: number;
  /** Of a fault rule, or the setting of a link, which have some hundred bytes. They are parsed in one go. */
  readonly maxAdminBodyBytes: number;
  /** Of a snapshot to be restored, of which there is one at a time: it is parsed in memory. Below 512 MB, V8's limit of a string. */
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
