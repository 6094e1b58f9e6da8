/**
 * The URL by which this machine reaches a server that listens on an address. A wildcard address becomes the loopback.
 */
export function endpointOf({ host, port }: { readonly host: string; readonly port: number }): string {
  if (host === '::' || host === '0.0.0.0') return `http://127.0.0.1:${port}`;
  return host.includes(':') ? `http://[${host}]:${port}` : `http://${host}:${port}`;
}
