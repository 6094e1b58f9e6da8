import { createHash, timingSafeEqual } from 'node:crypto';
import aws4 from 'aws4';
import { isoTime, timeOfIso } from '../api/iso-time.ts';
import {
  type Authorization,
  authorizationOf,
  type Credentials,
  incomplete,
  signatureError,
  signerOf,
} from './credentials.ts';
import type { HttpRequest } from './http-message.ts';
import type { Pause } from './pause.ts';
import type { WireError } from './render.ts';

/** What belongs to an access key id. */
export interface AccessKey {
  readonly secretAccessKey: string;
  /** Of temporary credentials: requests have to bring it. */
  readonly sessionToken?: string | undefined;
  /** The only region that requests may be signed for; undefined: any. */
  readonly region?: string | undefined;
}

export interface AuthenticateOptions {
  /** Undefined: there is no access key of that id. */
  readonly keyOf: (accessKeyId: string) => AccessKey | undefined;
  /** The computer's time, milliseconds since 1970: that of the API may be moved, and clients sign by their own. */
  readonly nowMs: () => number;
  /** Yields the event loop while a large body is hashed. */
  readonly pause: Pause;
}

/**
 * Whose request it is, if its signature is right; otherwise the error to answer with.
 * @param request as it was sent, before decompression
 */
export type Authenticate = (request: HttpRequest) => Promise<Credentials | WireError>;

const SERVICE = 'dynamodb';
const TERMINATOR = 'aws4_request';

/** How far a client's clock may be off. Recorded of the service: `(20160610T181112Z - 5 min.)`. */
const MAX_SKEW_MINUTES = 5;
const MINUTE_MS = 60_000;

/** Seconds that a pre-signed request may be good for (IAM user guide, "Authentication methods": seven days). */
const MAX_EXPIRES = 604_800;

/** No region is longer. Signing keys are kept by region, so the limit bounds what strangers can make us keep. */
const MAX_REGION_LENGTH = 64;

/**
 * Parameters in the query of a request; those of a signature are seven. `aws4` reads the first thousand: what comes
 * behind would count, and would not be signed.
 */
const MAX_PARAMETERS = 100;

/** How much of a body is hashed at a time: about a millisecond. */
const HASHED_AT_ONCE = 512 * 1024;

/**
 * Verifies signatures (Signature Version 4): signs the request once more and compares.
 *
 * The order of the checks is the service's, as the author of dynalite recorded it (comments of its `index.js`): what is
 * incomplete, the time, the signed host, the algorithm, the credential and its scope, the access key, the signature, the
 * session token. The texts are those of newer recordings where there are any.
 */
export function createAuthenticate({ keyOf, nowMs, pause }: AuthenticateOptions): Authenticate {
  return async (request) => {
    const authorization = authorizationOf(request.headers, queryOf(request.path));
    if (authorization.kind === 'error') return authorization;
    if (request.path.split('&', MAX_PARAMETERS + 1).length > MAX_PARAMETERS) return incomplete(TOO_MANY);
    const early = problemOfTime(authorization, nowMs()) ?? problemOfHost(authorization);
    if (early !== undefined) return early;
    const signer = signerOf(authorization);
    if (signer.kind === 'error') return signer;
    const key = keyOf(signer.accessKeyId);
    const token = tokenOf(request, authorization);
    const wrong = problemOfScope(authorization, key) ?? problemOfKey(key, token);
    if (wrong !== undefined) return wrong;
    const hash = await sha256(request.body, pause);
    return (
      problemOfSignature(request, authorization, { key: key!, region: signer.region, hash }) ??
      problemOfToken(key!, token) ??
      signer
    );
  };
}

const TOO_MANY = `The query has more than ${MAX_PARAMETERS} parameters`;

function queryOf(path: string): string {
  const mark = path.indexOf('?');
  return mark < 0 ? '' : path.slice(mark + 1);
}

function problemOfTime({ date, query }: Authorization, nowMs: number): WireError | undefined {
  const timeMs = timeOfIso(date.replace(BASIC_FORMAT, '$1-$2-$3T$4:$5:$6Z'));
  if (timeMs === undefined || !BASIC_FORMAT.test(date)) {
    return incomplete(`${WRONG_FORM}. Got '${date}'. See http://en.wikipedia.org/wiki/ISO_8601`);
  }
  const skewMs = MAX_SKEW_MINUTES * MINUTE_MS;
  const now = basicTime(nowMs);
  if (timeMs > nowMs + skewMs) {
    const latest = basicTime(nowMs + skewMs);
    return invalid(
      `Signature not yet current: ${date} is still later than ${latest} (${now} + ${MAX_SKEW_MINUTES} min.)`,
    );
  }
  const expires = query?.get('X-Amz-Expires') ?? undefined;
  if (expires !== undefined && !(/^\d{1,6}$/.test(expires) && Number(expires) >= 1 && Number(expires) <= MAX_EXPIRES)) {
    return incomplete(`X-Amz-Expires must be a number of seconds from 1 to ${MAX_EXPIRES}. Got '${expires}'`);
  }
  const lifeMs = expires === undefined ? skewMs : Number(expires) * 1_000;
  if (timeMs >= nowMs - lifeMs) return undefined;
  const life = expires === undefined ? `${MAX_SKEW_MINUTES} min.` : `${expires} sec.`;
  return invalid(`Signature expired: ${date} is now earlier than ${basicTime(nowMs - lifeMs)} (${now} - ${life})`);
}

const WRONG_FORM = "Date must be in ISO-8601 'basic format'";
const BASIC_FORMAT = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/;

/** `20260131T120000Z` */
function basicTime(timeMs: number): string {
  return isoTime(timeMs).replaceAll(/[-:]|\.\d+/g, '');
}

function problemOfHost(authorization: Authorization): WireError | undefined {
  if (namesOf(authorization).includes('host')) return undefined;
  return invalid("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.");
}

/** The names of the headers that are signed, in lower case. */
function namesOf({ signedHeaders }: Authorization): readonly string[] {
  return signedHeaders.toLowerCase().split(';');
}

function problemOfScope({ credential, date }: Authorization, key: AccessKey | undefined): WireError | undefined {
  const [, day, region, service, terminator] = credential.split('/') as [string, string, string, string, string];
  const texts: string[] = [];
  if (region === '' || region.length > MAX_REGION_LENGTH || region !== (key?.region ?? region)) {
    texts.push(`Credential should be scoped to a valid region, not '${region}'. `);
  }
  if (service !== SERVICE) texts.push(`Credential should be scoped to correct service: '${SERVICE}'. `);
  if (terminator !== TERMINATOR) {
    texts.push(`Credential should be scoped with a valid terminator: '${TERMINATOR}', not '${terminator}'. `);
  }
  const today = date.slice(0, 8);
  if (day !== today) {
    texts.push(
      'Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: ' +
        `'${day}' != '${today}', from '${date}'.`,
    );
  }
  return texts.length === 0 ? undefined : invalid(texts.join(''));
}

/** Temporary credentials are not known without their token. */
function problemOfKey(key: AccessKey | undefined, token: string | undefined): WireError | undefined {
  const isKnown = key !== undefined && (key.sessionToken === undefined || token !== undefined);
  return isKnown ? undefined : unrecognized('The security token included in the request is invalid.');
}

function tokenOf({ headers }: HttpRequest, { query }: Authorization): string | undefined {
  const token = query?.get('X-Amz-Security-Token') ?? headers['x-amz-security-token'];
  return token === undefined ? undefined : String(token);
}

/** The text has no full stop, as it was recorded, unlike that for an unknown key. */
function problemOfToken({ sessionToken }: AccessKey, token: string | undefined): WireError | undefined {
  if (token === undefined && sessionToken === undefined) return undefined;
  if (token !== undefined && sessionToken !== undefined && isSame(token, sessionToken)) return undefined;
  return unrecognized('The security token included in the request is invalid');
}

async function sha256(body: Uint8Array, pause: Pause): Promise<string> {
  const hash = createHash('sha256');
  for (let at = 0; at < body.length; at += HASHED_AT_ONCE) {
    if (at > 0) await pause();
    hash.update(body.subarray(at, at + HASHED_AT_ONCE));
  }
  return hash.digest('hex');
}

interface Signing {
  readonly key: AccessKey;
  readonly region: string;
  /** SHA-256 of the body, in hex. */
  readonly hash: string;
}

const CONTENT_HASH = 'x-amz-content-sha256';

const MISMATCH =
  'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and ' +
  'signing method. Consult the service documentation for details.';

function problemOfSignature(
  request: HttpRequest,
  authorization: Authorization,
  signing: Signing,
): WireError | undefined {
  const signer = signerFor(request, authorization, signing);
  let canonical: string;
  try {
    canonical = signer.canonicalString();
  } catch {
    // A path that is not what percent-encoding makes of anything: nobody can have signed it.
    return invalid(MISMATCH);
  }
  // `UNSIGNED-PAYLOAD`, too, is not what the body hashes to.
  const given = request.headers[CONTENT_HASH] ?? signing.hash;
  // Names that it does not sign, such as `__proto__`, must not seem to be signed.
  const isWhole = signer.signedHeaders() === [...new Set(namesOf(authorization))].sort().join(';');
  if (given === signing.hash && isWhole && isSame(signer.signature(), authorization.signature)) return undefined;
  return invalid(
    `${MISMATCH}\n\nThe Canonical String for this request should have been\n'${canonical}'\n\n` +
      `The String-to-Sign should have been\n'${signer.stringToSign()}'\n`,
  );
}

/**
 * What makes the signature that the request should have. The hash of the body is always the one that we have computed.
 * A signed header that did not arrive counts as empty, as by the service (recorded in boto3's issue 1354).
 */
function signerFor(request: HttpRequest, authorization: Authorization, signing: Signing) {
  const { method, headers, mountedPath: path = request.path } = request;
  const names = namesOf(authorization);
  const signed = Object.fromEntries(names.map((name) => [name, headers[name] ?? '']));
  const again = {
    service: SERVICE,
    region: signing.region,
    method,
    path: authorization.query === undefined ? path : withoutSignature(path),
    headers: { ...signed, [CONTENT_HASH]: signing.hash },
    doNotModifyHeaders: true,
    // It leaves some headers out that proxies change, such as `user-agent`, also when a client has signed them.
    extraHeadersToInclude: Object.fromEntries(names.map((name) => [name, true])),
    // It reads the hash from there.
    extraHeadersToIgnore: { [CONTENT_HASH]: true },
  };
  const signer = new aws4.RequestSigner(again, { secretAccessKey: signing.key.secretAccessKey });
  signer.datetime = authorization.date;
  return signer;
}

/** A signature covers the query that it is added to. */
function withoutSignature(path: string): string {
  const mark = path.indexOf('?') + 1;
  const parameters = path.slice(mark).split('&');
  return path.slice(0, mark) + parameters.filter((parameter) => !parameter.startsWith('X-Amz-Signature=')).join('&');
}

/** Takes as long for a text that is nearly right as for any other of its length. */
function isSame(one: string, other: string): boolean {
  const [left, right] = [Buffer.from(one), Buffer.from(other)];
  return left.length === right.length && timingSafeEqual(left, right);
}

function invalid(message: string): WireError {
  return signatureError('InvalidSignatureException', message);
}

function unrecognized(message: string): WireError {
  return signatureError('UnrecognizedClientException', message);
}
