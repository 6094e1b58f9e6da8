/**
 * The URL by which this machine reaches a server that listens on an address. A wildcard address becomes the loopback.
 *
 * @param config whether it serves HTTPS
 */
export function endpointOf(
  { host, port }: { readonly host: string; readonly port: number },
  { httpsCert }: { readonly httpsCert?: unknown } = {},
): string {
  const scheme = httpsCert === undefined ? 'http' : 'https';
  if (host === '::' || host === '0.0.0.0') return `${scheme}://127.0.0.1:${port}`;
  return host.includes(':') ? `${scheme}://[${host}]:${port}` : `${scheme}://${host}:${port}`;
}
