import { isIP } from 'node:net';
import type { HttpHeaders } from './http-message.ts';

/** Why a request is refused, and the header that is the reason. */
export interface Refusal {
  readonly error: string;
  readonly field: string;
}

/**
 * Protects the administrator's routes against foreign web pages in the browser of the person who runs the server
 * (CSRF). The routes have no password: a server on a developer's machine is open to local programs, but must not be
 * open to every site visited from there.
 *
 * - Browsers mark cross-site requests: by `Origin`, always when the method can change something, and by
 *   `Sec-Fetch-Site` if the server's address is trustworthy to them (localhost, https). Such a request is refused
 *   unless the server's own page makes it. Scripts can set neither header.
 * - With DNS rebinding, a page makes its own name point to this server and then asks "itself". `Host` gives it away: it
 *   is a name that the public DNS may hold. Names that the public DNS cannot hold (an address, a name without a dot
 *   such as `localhost` or a container's, a name under a reserved domain such as `.internal`) cannot be rebound.
 * - Tools and SDKs send none of the browser's headers. They may change things under any name that reaches the server,
 *   because a browser would send `Origin` then. To read under a name that looks public, where a browser may send no
 *   `Origin`, they must send `Sec-Fetch-Site: none`, which no script can.
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

/** Host and port of an origin; undefined for `null` and for anything that is no web origin. */
function hostOf(origin: string | string[]): string | undefined {
  return /^https?:\/\/([^/?#@]+)$/i.exec(String(origin))?.[1]?.toLowerCase();
}

/** A `Host` header without its port. */
function nameIn(host: string): string {
  return host.replace(/:\d*$/, '').toLowerCase();
}

/** Top-level domains that no public DNS holds (RFC 2606, RFC 6761, RFC 6762, RFC 8375, and ICANN for `internal`). */
const RESERVED = new Set(['localhost', 'test', 'example', 'invalid', 'local', 'internal']);

function isPublicName(name: string): boolean {
  if (isIP(name) !== 0 || name.startsWith('[') || name.endsWith('.home.arpa')) return false;
  const labels = name.split('.');
  return labels.length > 1 && !RESERVED.has(labels.at(-1)!);
}

/** Whether a client is on this computer. @param address of its socket */
export function isLoopback(address: string | undefined): boolean {
  return address !== undefined && /^(127\.|::1$|::ffff:127\.)/.test(address);
}
