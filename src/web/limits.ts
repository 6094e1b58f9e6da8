/** What one web server holds at a time, and for how long. Beyond it, requests are shed or cut, never queued. */
export interface WebLimits {
  /** The service's limit. */
  readonly maxBodyBytes: number;
  /** Of a request line and its headers together. The service's limit. */
  readonly maxHeaderBytes: number;
  /** Requests whose answer is not yet sent. Raising it costs memory under overload, up to an item per request. */
  readonly maxRequestsInFlight: number;
  /** Body bytes of those requests together, as received and as inflated. Parsed, stored and encoded they are six times that. */
  readonly maxBodyBytesInFlight: number;
  /** Sockets per address; the kernel keeps a backlog beyond. */
  readonly maxConnections: number;
  /** From a connection's or request's first byte to the end of its headers. */
  readonly headersTimeoutMs: number;
  /** From a request's first byte to its last. */
  readonly requestTimeoutMs: number;
  /** Between requests of one connection. Longer than the SDKs keep a connection, so that it is they who close it. */
  readonly keepAliveTimeoutMs: number;
  /** Without a byte in either direction: ends clients that do not read their answers. */
  readonly socketTimeoutMs: number;
  /** Requests to `/_dynaring/` at a time. */
  readonly maxAdminRequestsInFlight: number;
  /** Of a fault rule, or the setting of a link. */
  readonly maxAdminBodyBytes: number;
  /** Of a snapshot to be restored, of which there is one at a time: it is parsed in memory. Below 512 MB, V8's limit of a string. */
  readonly maxSnapshotBodyBytes: number;
}

const MIB = 1024 * 1024;

export const DEFAULT_WEB_LIMITS: WebLimits = {
  maxBodyBytes: 16 * MIB,
  maxHeaderBytes: 16 * 1024,
  maxRequestsInFlight: 1024,
  maxBodyBytesInFlight: 32 * MIB,
  maxConnections: 4096,
  headersTimeoutMs: 15_000,
  requestTimeoutMs: 60_000,
  keepAliveTimeoutMs: 75_000,
  socketTimeoutMs: 120_000,
  maxAdminRequestsInFlight: 16,
  maxAdminBodyBytes: MIB,
  maxSnapshotBodyBytes: 256 * MIB,
};
