import { hkdfSync } from 'node:crypto';
import type { ConnectionOptions, TLSSocket, TlsOptions } from 'node:tls';
import type { Proof } from './peer-channel.ts';

/** How peers prove to each other who they are. Connections on Unix sockets prove nothing: the file system does. */
export type PeerSecurity =
  /** Not at all: connections stay on this host. */
  | { readonly kind: 'open' }
  /** Whoever has the secret is a peer. */
  | { readonly kind: 'secret'; readonly secret: Uint8Array }
  /** Each peer has a certificate of the cluster's authority, good for its name (`dynaring-node:NAME` as a URI). */
  | {
      readonly kind: 'certificate';
      readonly cert: string | Buffer;
      readonly key: string | Buffer;
      readonly ca: string | Buffer;
    };

type Secured = Exclude<PeerSecurity, { kind: 'open' }>;

/** Below this a secret can be tried out by whoever has recorded a handshake. */
export const LEAST_SECRET_BYTES = 16;
const PSK_LABEL = 'dynaring peer 1';
const PSK_BYTES = 32;
const CERTIFIED_NAME = /^URI:dynaring-node:(.+)$/;

/**
 * An external pre-shared key takes the place of certificates (RFC 8446, section 4.2.11). Both sides prove that they have
 * it, and keys are of each connection alone (X25519): what is recorded is worth nothing later. TLS 1.3 has other ciphers
 * for such a key, but OpenSSL takes this one, whose hash is SHA-256.
 */
const TLS_OF_ALL = { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3', ecdhCurve: 'X25519' } as const;
const PSK_CIPHER = 'TLS_AES_128_GCM_SHA256';

/** @throws RangeError if peers that prove themselves like this prove nothing */
export function checkSecurity(security: PeerSecurity): void {
  if (security.kind === 'secret' && security.secret.length < LEAST_SECRET_BYTES) {
    throw new RangeError(`a secret of fewer than ${LEAST_SECRET_BYTES} bytes`);
  }
}

/** What a dialler hands to node:tls. */
export function dialOptions(security: Secured): ConnectionOptions {
  if (security.kind === 'secret') {
    const psk = keyOf(security.secret);
    return {
      ...TLS_OF_ALL,
      ciphers: PSK_CIPHER,
      pskCallback: () => ({ psk, identity: PSK_LABEL }),
      // Hazard: without this, a server that does not have the secret but any certificate that this machine trusts would
      // be accepted. It is called for servers with a certificate alone.
      checkServerIdentity: () => new Error('the peer has a certificate instead of the secret'),
    };
  }
  const { cert, key, ca } = security;
  // The name is compared with what the hello says: addresses say nothing about who a peer is.
  return { ...TLS_OF_ALL, cert, key, ca, checkServerIdentity: () => undefined };
}

/** What a listener hands to node:tls. */
export function listenOptions(security: Secured): TlsOptions {
  if (security.kind === 'secret') {
    const psk = keyOf(security.secret);
    return {
      ...TLS_OF_ALL,
      ciphers: PSK_CIPHER,
      pskCallback: (_socket, identity) => (identity === PSK_LABEL ? psk : null),
    };
  }
  const { cert, key, ca } = security;
  return { ...TLS_OF_ALL, cert, key, ca, requestCert: true, rejectUnauthorized: true };
}

/** What the other end of a connection has proved. */
export function proofOf(security: Secured, socket: TLSSocket): Proof {
  if (security.kind === 'secret') return { kind: 'secret' };
  return { kind: 'certificate', names: certifiedNames(socket.getPeerCertificate().subjectaltname ?? '') };
}

/**
 * The names of peers among a certificate's alternative names, as Node writes those: separated by commas, and in quotes
 * where a name could be taken for several. A name in quotes is not one of ours.
 */
export function certifiedNames(alternativeNames: string): string[] {
  const names = alternativeNames.match(/(?:[^,"]|"(?:[^"\\]|\\.)*")+/g) ?? [];
  return names.flatMap((name) => {
    const found = CERTIFIED_NAME.exec(name.trim())?.[1];
    return found === undefined || found.includes('"') ? [] : [found];
  });
}

function keyOf(secret: Uint8Array): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, Buffer.alloc(0), PSK_LABEL, PSK_BYTES));
}
