import { crc32 } from 'node:zlib';
import { RawJson } from '../api/operations.ts';
import type { HttpResponse } from './http-message.ts';

/** An error as it is sent. An `ApiError` has this form; tier 1 itself makes the errors of HTTP and of signatures. */
export interface WireError {
  readonly kind: 'error';
  /** `namespace#Name` */
  readonly type: string;
  readonly status: number;
  readonly message: string;
  /** Members besides type and message. */
  readonly body?: Readonly<Record<string, unknown>>;
}

/** What the headers of every answer are made from. */
export interface Envelope {
  readonly requestId: string;
  readonly contentType: string;
  /** The CORS headers (see `CrossOrigin`), alternating names and values. */
  readonly crossOrigin: readonly string[];
}

/**
 * Errors whose text is in `Message`, as dynalite and dynoxide recorded it of the first two from the service, and as the
 * service's model has it of the others; other errors have `message`.
 */
const CAPITAL_MESSAGE = new Set([
  'SerializationException',
  'TransactionCanceledException',
  'IdempotentParameterMismatchException',
  'TransactionInProgressException',
]);

/** The answer to an operation. `result` comes from tier 2: plain data in which a `RawJson` stands for its bytes. */
export function renderResult(result: object, envelope: Envelope): HttpResponse {
  return renderBody(200, toJson(result), envelope);
}

/** The answer for an error. An empty message is left out, as by the service. */
export function renderError(error: Omit<WireError, 'kind'>, envelope: Envelope): HttpResponse {
  const name = error.type.slice(error.type.indexOf('#') + 1);
  const key = CAPITAL_MESSAGE.has(name) ? 'Message' : 'message';
  const answer = renderBody(
    error.status,
    toJson({ __type: error.type, [key]: error.message === '' ? undefined : error.message, ...error.body }),
    envelope,
  );
  return { ...answer, error: name };
}

/** Any answer, with the headers that every answer has. */
export function renderBody(status: number, body: Uint8Array, envelope: Envelope): HttpResponse {
  const headers = [
    'Server',
    'Dynaring',
    'Content-Type',
    envelope.contentType,
    'Content-Length',
    String(body.length),
    'x-amzn-RequestId',
    envelope.requestId,
    'x-amz-crc32',
    String(crc32(body)),
  ];
  if (envelope.crossOrigin.length > 0) headers.push(...envelope.crossOrigin);
  return { status, headers, body };
}

/** JSON in UTF-8. The bytes of each `RawJson` are inserted in its place. */
export function toJson(value: object): Buffer {
  const item = onlyItem(value);
  if (item !== undefined) return join([ITEM_HEAD, item, ITEM_TAIL]);
  const pieces: (string | Uint8Array)[] = [];
  const text = write(value, '', pieces);
  if (pieces.length === 0) return Buffer.from(text);
  pieces.push(text);
  return join(pieces);
}

/** Fast path for the most frequent answer, a found item and nothing else: it is not walked. */
function onlyItem(value: object): Uint8Array | undefined {
  const { Item } = value as { readonly Item?: unknown };
  if (!(Item instanceof RawJson)) return undefined;
  for (const key in value) if (key !== 'Item') return undefined;
  return Item.bytes;
}

const ITEM_HEAD = Buffer.from('{"Item":');
const ITEM_TAIL = Buffer.from('}');

/**
 * @param text what comes before the value and is not among the pieces yet
 * @param pieces get all up to the last `RawJson`
 * @returns the text behind that, with the end of the value
 */
function write(value: unknown, text: string, pieces: (string | Uint8Array)[]): string {
  if (value instanceof RawJson) {
    pieces.push(text, value.bytes);
    return '';
  }
  if (!holdsRawJson(value)) return text + JSON.stringify(value);
  let rest = text;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) rest = write(value[i], rest + (i === 0 ? '[' : ','), pieces);
    return `${rest}]`;
  }
  let before = '{';
  for (const key in value as object) {
    const member = (value as Record<string, unknown>)[key];
    if (member === undefined) continue;
    rest = write(member, `${rest}${before}${JSON.stringify(key)}:`, pieces);
    before = ',';
  }
  return `${rest}}`;
}

function holdsRawJson(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (value instanceof RawJson) return true;
  if (Array.isArray(value)) return value.some(holdsRawJson);
  for (const key in value) if (holdsRawJson((value as Record<string, unknown>)[key])) return true;
  return false;
}

function join(pieces: readonly (string | Uint8Array)[]): Buffer {
  let length = 0;
  for (const piece of pieces) length += typeof piece === 'string' ? Buffer.byteLength(piece) : piece.length;
  const bytes = Buffer.allocUnsafe(length);
  let at = 0;
  for (const piece of pieces) {
    if (typeof piece === 'string') at += bytes.write(piece, at);
    else {
      bytes.set(piece, at);
      at += piece.length;
    }
  }
  return bytes;
}
