import type { IncomingMessage } from 'node:http';

/**
 * Converts a request target in absolute form (`POST http://host/ HTTP/1.1`, sent by clients that take the server for a
 * proxy) into origin form. The Host header then becomes that of the target (RFC 9112, section 3.2.2). Other targets
 * stay as they are.
 */
export function toOriginForm(request: IncomingMessage): void {
  if (request.url!.startsWith('/')) return;
  const parts = /^https?:\/\/(?:[^/?#]*@)?([^/?#]+)([^#]*)/i.exec(request.url!);
  if (parts === null) return;
  const [, host, rest] = parts;
  request.url = rest!.startsWith('/') ? rest! : `/${rest}`;
  request.headers.host = host!;
}
