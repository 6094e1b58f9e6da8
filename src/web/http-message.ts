/** A request without its socket. */
export interface HttpRequest {
  readonly method: string;
  /** Path and query, as in the request line. */
  readonly path: string;
  /** By lower-case name, as `node:http` has them. */
  readonly headers: HttpHeaders;
  readonly body: Uint8Array;
  /** Where what is found out on the way is written down for a log; undefined: nobody asks. */
  readonly notes?: RequestNotes | undefined;
}

export interface RequestNotes {
  /** The tables that an operation names. */
  table?: string;
}

export type HttpHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** An answer without its socket. */
export interface HttpResponse {
  readonly status: number;
  /** Names and values by turns, `node:http`'s fastest form. Complete but for `Date` and the connection's own. */
  readonly headers: string[];
  readonly body: Uint8Array;
  /** The connection ends with it. */
  readonly isLast?: true;
  /** There is no answer: the connection ends without one. */
  readonly isDropped?: true;
  /** The name of the error that it tells, for those who count. */
  readonly error?: string;
}

export const DROPPED_CONNECTION: HttpResponse = {
  status: 0,
  headers: [],
  body: new Uint8Array(0),
  isDropped: true,
  error: 'dropped-connection',
};
