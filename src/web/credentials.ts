import type { HttpHeaders } from './http-message.ts';
import type { WireError } from './render.ts';

/** Who signed a request and for which region. */
export interface Credentials {
  readonly kind: 'credentials';
  readonly accessKeyId: string;
  readonly region: string;
}

/** What a request says of its signature: complete, but neither well-formed nor right. */
export interface Authorization {
  readonly kind: 'authorization';
  readonly algorithm: string;
  /** `accessKeyId/date/region/service/aws4_request` */
  readonly credential: string;
  readonly signature: string;
  /** Names of headers with semicolons between. */
  readonly signedHeaders: string;
  /** When it was signed: `20260131T120000Z`. */
  readonly date: string;
  /** The parameters of a pre-signed request; undefined if it has an `Authorization` header. */
  readonly query?: URLSearchParams;
}

const ALGORITHM = 'AWS4-HMAC-SHA256';
const HEADER_PARAMETERS = ['Credential', 'Signature', 'SignedHeaders'];
const QUERY_PARAMETERS = [
  'X-Amz-Algorithm',
  'X-Amz-Credential',
  'X-Amz-Signature',
  'X-Amz-SignedHeaders',
  'X-Amz-Date',
];

/**
 * Reads the credentials of a request, whoever signed it: any access key and any secret are accepted.
 * @param query the request's query string, without `?`
 */
export function credentialsOf(headers: HttpHeaders, query: string): Credentials | WireError {
  const authorization = authorizationOf(headers, query);
  return authorization.kind === 'error' ? authorization : signerOf(authorization);
}

/**
 * Reads what a request says of its signature from its `Authorization` header or, if it is pre-signed, from its query
 * string. Makes the checks that the service makes first, in the same order and words, as recorded in the emulator
 * dynalite.
 * @param query the request's query string, without `?`
 */
export function authorizationOf(headers: HttpHeaders, query: string): Authorization | WireError {
  const authorization = headers.authorization as string | undefined;
  const presigned = query.includes('X-Amz-Algorithm');
  if (authorization === undefined) return presigned ? ofQuery(new URLSearchParams(query)) : missing();
  if (presigned) {
    return signatureError(
      'InvalidSignatureException',
      "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.",
    );
  }
  return ofHeader(authorization, headers);
}

/** Checks the algorithm and the form of the credential, which the service does after the checks of `authorizationOf`. */
export function signerOf({ algorithm, credential }: Authorization): Credentials | WireError {
  return algorithm === ALGORITHM ? ofCredential(credential) : unsupported(algorithm);
}

function ofHeader(authorization: string, headers: HttpHeaders): Authorization | WireError {
  if (!authorization.startsWith('AWS4-')) return missing();
  const credential = parameter(authorization, 'Credential=');
  const signature = parameter(authorization, 'Signature=');
  const signedHeaders = parameter(authorization, 'SignedHeaders=');
  const date = headers['x-amz-date'] ?? headers.date;
  if (credential === '' || signature === '' || signedHeaders === '' || date === undefined) {
    return incompleteHeader(authorization, headers);
  }
  const algorithm = authorization.slice(0, authorization.indexOf(' '));
  return { kind: 'authorization', algorithm, credential, signature, signedHeaders, date: date as string };
}

/** The value of one parameter of an `Authorization` header; empty if it has none. `marker` is its name and `=`. */
function parameter(authorization: string, marker: string): string {
  const at = authorization.indexOf(marker);
  // The marker must begin a word, because `Signature=` is also the end of other names.
  if (at <= 0 || (authorization[at - 1] !== ' ' && authorization[at - 1] !== ',')) return '';
  const start = at + marker.length;
  const comma = authorization.indexOf(',', start);
  const text = authorization.slice(start, comma < 0 ? undefined : comma);
  const blank = text.indexOf(' ');
  return blank < 0 ? text : text.slice(0, blank);
}

function incompleteHeader(authorization: string, headers: HttpHeaders): WireError {
  const texts = HEADER_PARAMETERS.filter((name) => parameter(authorization, `${name}=`) === '').map(
    (name) => `Authorization header requires '${name}' parameter. `,
  );
  if (headers['x-amz-date'] === undefined && headers.date === undefined) {
    texts.push("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ");
  }
  return incomplete(`${texts.join('')}Authorization=${authorization}`);
}

function ofQuery(query: URLSearchParams): Authorization | WireError {
  const texts = QUERY_PARAMETERS.filter((name) => !query.get(name)).map(
    (name) => `AWS query-string parameters must include '${name}'. `,
  );
  if (texts.length > 0) return incomplete(`${texts.join('')}Re-examine the query-string parameters.`);
  return {
    kind: 'authorization',
    algorithm: query.get('X-Amz-Algorithm')!,
    credential: query.get('X-Amz-Credential')!,
    signature: query.get('X-Amz-Signature')!,
    signedHeaders: query.get('X-Amz-SignedHeaders')!,
    date: query.get('X-Amz-Date')!,
    query,
  };
}

/** @param credential `accessKeyId/date/region/service/aws4_request` */
function ofCredential(credential: string): Credentials | WireError {
  const key = credential.indexOf('/');
  const date = credential.indexOf('/', key + 1);
  const region = credential.indexOf('/', date + 1);
  const service = credential.indexOf('/', region + 1);
  const exact = key > 0 && date > 0 && region > 0 && service > 0 && !credential.includes('/', service + 1);
  if (!exact) {
    return incomplete(
      'Credential must have exactly 5 slash-delimited elements, ' +
        `e.g. keyid/date/region/service/term, got '${credential}'`,
    );
  }
  return {
    kind: 'credentials',
    accessKeyId: credential.slice(0, key),
    region: credential.slice(date + 1, region),
  };
}

function missing(): WireError {
  return signatureError('MissingAuthenticationTokenException', 'Request is missing Authentication Token');
}

function unsupported(algorithm: string): WireError {
  return incomplete(`Unsupported AWS 'algorithm': '${algorithm}' (only ${ALGORITHM} for now). `);
}

/** The error for a signature that cannot be verified, because of its form. */
export function incomplete(message: string): WireError {
  return signatureError('IncompleteSignatureException', message);
}

/** An error of the service's front, which verifies signatures: 400, with a type of its own namespace. */
export function signatureError(name: string, message: string): WireError {
  return { kind: 'error', type: `com.amazon.coral.service#${name}`, status: 400, message };
}
