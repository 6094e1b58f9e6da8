/** Response headers that a browser hides from scripts unless they are listed. */
const EXPOSED_HEADERS = 'x-amzn-RequestId, x-amz-crc32, x-amzn-ErrorType, Content-Length, Date';

/**
 * The CORS headers of the answer to a request with this `Origin`; undefined if there is none, as when no browser asks.
 */
export type CrossOrigin = (origin: string | undefined) => readonly string[];

const NONE: readonly string[] = [];

/**
 * Which web pages may use the server (CORS).
 * @param allowed origins (`http://localhost:3000`), hosts (`localhost`), hosts with ports; `*` for all
 */
export function crossOriginOf(allowed: readonly string[]): CrossOrigin {
  if (allowed.includes('*')) {
    const all = permission('*');
    return (origin) => (origin === undefined ? NONE : all);
  }
  const names = new Set(allowed.map(nameOf));
  // Without `Vary`, a cache could give the answer made for one page to another.
  const vary = ['Vary', 'Origin'];
  return (origin) => {
    const isAllowed = origin !== undefined && namesOf(origin).some((name) => names.has(name));
    return isAllowed ? [...permission(origin), ...vary] : vary;
  };
}

function permission(origin: string): readonly string[] {
  return ['Access-Control-Allow-Origin', origin, 'Access-Control-Expose-Headers', EXPOSED_HEADERS];
}

/** Normalises an origin as browsers do: lower case, without the default port. */
function nameOf(allowed: string): string {
  const origin = URL.canParse(allowed) ? new URL(allowed).origin : 'null';
  // `URL` knows no origin of hosts and of custom schemes.
  return origin === 'null' ? allowed.toLowerCase().replace(/\/$/, '') : origin;
}

/** The entries of the list that match an origin. No entry matches `null`, the origin of sandboxes and files. */
function namesOf(origin: string): readonly string[] {
  if (!URL.canParse(origin)) return [];
  const { host, hostname } = new URL(origin);
  return [origin.toLowerCase(), host, hostname];
}
