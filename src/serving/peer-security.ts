import { readFileSync } from 'node:fs';
import type { PeerSettings } from '../config/peer-options.ts';
import { ConfigError } from '../config.ts';
import { isOnThisHost } from '../env/dialer.ts';
import { LEAST_SECRET_BYTES, type PeerSecurity } from '../env/peer-tls.ts';
import { textOfAddress } from '../peer/acquaintances.ts';

/** How peers prove who they are. @throws ConfigError if peers of other hosts could come in without a proof, or a file cannot be read */
export function peerSecurityOf({
  clusterSecretFile,
  peerCert,
  peerKey,
  peerCa,
  peerListen,
}: PeerSettings): PeerSecurity {
  if (clusterSecretFile !== undefined) {
    const secret = Buffer.from(read('--cluster-secret-file', clusterSecretFile).toString().trim());
    if (secret.length >= LEAST_SECRET_BYTES) return { kind: 'secret', secret };
    throw new ConfigError(`--cluster-secret-file ${clusterSecretFile} has fewer than ${LEAST_SECRET_BYTES} bytes`);
  }
  if (peerCert !== undefined) {
    const [cert, key, ca] = [
      read('--peer-cert', peerCert),
      read('--peer-key', peerKey!),
      read('--peer-ca', peerCa!),
    ] as const;
    return { kind: 'certificate', cert, key, ca };
  }
  if (isOnThisHost(peerListen)) return { kind: 'open' };
  throw new ConfigError(
    `--peer-listen ${textOfAddress(peerListen)} lets other hosts in: peers need a --cluster-secret-file, or certificates`,
  );
}

function read(flag: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new ConfigError(`${flag} ${file} cannot be read: ${(error as NodeJS.ErrnoException).code ?? error}`);
  }
}

/** Names the option that is about it. @throws ConfigError, or what was thrown, if it is no error of the system */
export function refuseToListen({ peerListen }: PeerSettings) {
  return (error: NodeJS.ErrnoException): never => {
    const reasons: Readonly<Record<string, string>> = {
      EADDRINUSE: 'is in use',
      EADDRNOTAVAIL: 'is no address of this machine',
      EACCES: 'is not allowed',
    };
    const reason = reasons[error.code ?? ''];
    if (reason === undefined) throw error;
    throw new ConfigError(`--peer-listen ${textOfAddress(peerListen)} ${reason}`);
  };
}
