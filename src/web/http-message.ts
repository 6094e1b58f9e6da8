import type { Departure } from '../api/departure.ts';

/** A request without its socket. */
export interface HttpRequest {
  readonly method: string;
  /** Path and query, as in the request line. */
  readonly path: string;
  /** What the client asked for, if this server is mounted in another one at that path. */
  readonly mountedPath?: string | undefined;
  /** By lower-case name, as `node:http` has them. */
  readonly headers: HttpHeaders;
  readonly body: Uint8Array;
  /** The request as the client sent it, if this is what decompression made of it. A signature covers that one. */
  readonly sent?: HttpRequest | undefined;
  /** Of the client that waits for the answer. */
  readonly departure?: Departure | undefined;
  /** Collects facts for the request log; undefined if there is no log. */
  readonly notes?: RequestNotes | undefined;
}

export interface RequestNotes {
  /** The tables that the operation names. */
  table?: string;
}

export type HttpHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** An answer without its socket. */
export interface HttpResponse {
  readonly status: number;
  /**
   * Alternating names and values, the fastest form for `node:http`. Complete except for `Date` and the headers of the
   * connection.
   */
  readonly headers: string[];
  readonly body: Uint8Array;
  /** The answer closes the connection. */
  readonly isLast?: true;
  /** There is no answer: the connection is closed without one. */
  readonly isDropped?: true;
  /** The name of the error, for the metrics and the log. */
  readonly error?: string;
}

export const DROPPED_CONNECTION: HttpResponse = {
  status: 0,
  headers: [],
  body: new Uint8Array(0),
  isDropped: true,
  error: 'dropped-connection',
};

/** What was not carried out to its end, since the client has closed its connection meanwhile. */
export const CLIENT_GONE: HttpResponse = { ...DROPPED_CONNECTION, error: 'client-gone' };
