import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Address } from '../../src/env/peer-channel.ts';
import type { PeerSecurity } from '../../src/env/peer-tls.ts';
import { temporaryDirectory } from './directory.ts';

/** One kind of connection between processes. */
export interface ConnectionKind {
  /** How the peer of this name proves who it is. There are certificates for `a`, `b` and `c`. */
  security(name: string): PeerSecurity;
  /** A free address of this host to listen on. */
  address(): Address;
  /** Whether what crosses the network cannot be read, changed or repeated unnoticed. */
  readonly isSealed: boolean;
}

const CERTIFICATES = new URL('../env/certificates/', import.meta.url);
const SECRET = Buffer.from('a secret that nobody can guess');
const tcp = () => ({ host: '127.0.0.1', port: 0 });

/** The certificate of a peer, or of `stranger`, and the authority that it trusts. */
export function certified(name: string): PeerSecurity {
  const read = (file: string) => readFileSync(new URL(file, CERTIFICATES));
  return { kind: 'certificate', cert: read(`${name}.pem`), key: read(`${name}.key`), ca: read('authority.pem') };
}

export const CONNECTION_KINDS: Readonly<Record<string, ConnectionKind>> = {
  TCP: { security: () => ({ kind: 'open' }), address: tcp, isSealed: false },
  'Unix sockets': {
    security: () => ({ kind: 'open' }),
    address: () => ({ path: join(temporaryDirectory(), 'peer') }),
    isSealed: false,
  },
  'TLS with a shared secret': {
    security: () => ({ kind: 'secret', secret: SECRET }),
    address: tcp,
    isSealed: true,
  },
  'TLS with certificates': { security: certified, address: tcp, isSealed: true },
};
