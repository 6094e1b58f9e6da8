/** Headers that a browser lets scripts read only if they are named. */
const EXPOSED_HEADERS = 'x-amzn-RequestId, x-amz-crc32, x-amzn-ErrorType, Content-Length, Date';

/** The answer's headers for a request with this `Origin`; undefined: none, as of everything but a browser. */
export type CrossOrigin = (origin: string | undefined) => readonly string[];

const NONE: readonly string[] = [];

/**
 * Which web pages may use the server.
 * @param allowed origins (`http://localhost:3000`), hosts (`localhost`), hosts with ports; `*` for all
 */
export function crossOriginOf(allowed: readonly string[]): CrossOrigin {
  if (allowed.includes('*')) {
    const all = permission('*');
    return (origin) => (origin === undefined ? NONE : all);
  }
  const names = new Set(allowed.map(nameOf));
  // A cache between must not give the answer for one page to another.
  const vary = ['Vary', 'Origin'];
  return (origin) => {
    const isAllowed = origin !== undefined && namesOf(origin).some((name) => names.has(name));
    return isAllowed ? [...permission(origin), ...vary] : vary;
  };
}

function permission(origin: string): readonly string[] {
  return ['Access-Control-Allow-Origin', origin, 'Access-Control-Expose-Headers', EXPOSED_HEADERS];
}

/** As browsers write origins: in small letters, without the port that goes without saying. */
function nameOf(allowed: string): string {
  const origin = URL.canParse(allowed) ? new URL(allowed).origin : 'null';
  // Hosts, and schemes of applications, have no origin that URL would tell.
  return origin === 'null' ? allowed.toLowerCase().replace(/\/$/, '') : origin;
}

/** What an origin may be called in the list. `null`, that of sandboxes and files, is nobody's name. */
function namesOf(origin: string): readonly string[] {
  if (!URL.canParse(origin)) return [];
  const { host, hostname } = new URL(origin);
  return [origin.toLowerCase(), host, hostname];
}
