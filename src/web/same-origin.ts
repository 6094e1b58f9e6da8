import { isIP } from 'node:net';
import type { HttpHeaders } from './http-message.ts';

/** Why a request is refused, and the header that says so. */
export interface Refusal {
  readonly error: string;
  readonly field: string;
}

/**
 * Whether a request for the administrator's surface may come from a page of somebody else, in the browser of whoever runs
 * this server. The surface has no password: a server of a developer's machine is open to its programs, but must not be to
 * every site that is visited from there.
 *
 * - Browsers mark what one site asks of another: by `Origin`, always when the method can change something, and by
 *   `Sec-Fetch-Site` if the server's address is trustworthy to them (localhost, https). Such a request is refused unless
 *   it is this server's own page that asks. Scripts can set neither header.
 * - A page can let its own name point to this server (DNS rebinding), and then asks "itself". `Host` gives it away: it is a
 *   name that the public DNS may hold. For names that it cannot hold (an address, a name without a dot such as
 *   `localhost` or a container's, a name under a reserved domain such as `.internal`) there is nothing to rebind.
 * - Tools and SDKs send none of a browser's headers. They may use whatever name reaches the server to change something,
 *   because a browser would send `Origin` then; and to read under a name that looks public, where a browser might not, they
 *   say `Sec-Fetch-Site: none`, which no script can.
 */
export function refusalOf(method: string, headers: HttpHeaders): Refusal | undefined {
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') {
    return { error: 'requests of other sites are refused', field: 'Sec-Fetch-Site' };
  }
  const { origin, host } = headers;
  if (origin !== undefined && (typeof host !== 'string' || hostOf(origin) !== host.toLowerCase())) {
    return { error: 'requests of other origins are refused', field: 'Origin' };
  }
  const isRead = method === 'GET' || method === 'HEAD';
  const mayBeBrowser = origin !== undefined || (isRead && site === undefined);
  if (mayBeBrowser && typeof host === 'string' && isPublicName(nameIn(host))) {
    const error = 'a page may have let this name point here: use an address, or send Sec-Fetch-Site: none';
    return { error, field: 'Host' };
  }
  return undefined;
}

/** Host and port of an origin; undefined for `null`, and for what is no origin of the web. */
function hostOf(origin: string | string[]): string | undefined {
  return /^https?:\/\/([^/?#@]+)$/i.exec(String(origin))?.[1]?.toLowerCase();
}

/** A `Host` header without its port. */
function nameIn(host: string): string {
  return host.replace(/:\d*$/, '').toLowerCase();
}

/** Top-level domains that are in no public DNS (RFC 2606, RFC 6761, RFC 6762, RFC 8375, and ICANN for `internal`). */
const RESERVED = new Set(['localhost', 'test', 'example', 'invalid', 'local', 'internal']);

function isPublicName(name: string): boolean {
  if (isIP(name) !== 0 || name.startsWith('[') || name.endsWith('.home.arpa')) return false;
  const labels = name.split('.');
  return labels.length > 1 && !RESERVED.has(labels.at(-1)!);
}
