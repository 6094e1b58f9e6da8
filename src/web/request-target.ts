import type { IncomingMessage } from 'node:http';

/**
 * Brings a request whose target is in absolute form (`POST http://host/ HTTP/1.1`, as clients write it that take the
 * server for a proxy) into the usual one. Its Host header is then that of the target (RFC 9112, section 3.2.2). Anything
 * else is left as it is.
 */
export function toOriginForm(request: IncomingMessage): void {
  if (request.url!.startsWith('/')) return;
  const parts = /^https?:\/\/(?:[^/?#]*@)?([^/?#]+)([^#]*)/i.exec(request.url!);
  if (parts === null) return;
  const [, host, rest] = parts;
  request.url = rest!.startsWith('/') ? rest! : `/${rest}`;
  request.headers.host = host!;
}
