import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryDirectory } from '../parts/directory.ts';
import { type ConnectionUnderTest, peerTransportSuite } from '../suites/peer-transport.ts';

const certificate = (name: string) => readFileSync(new URL(`certificates/${name}`, import.meta.url));
const secret = Buffer.from('a secret that nobody can guess');
const tcp = () => ({ host: '127.0.0.1', port: 0 });

const KINDS: Record<string, ConnectionUnderTest> = {
  'a transport on TCP': { security: () => ({ kind: 'open' }), address: tcp, isSealed: false },
  'a transport on Unix sockets': {
    security: () => ({ kind: 'open' }),
    address: () => ({ path: join(temporaryDirectory(), 'peer') }),
    isSealed: false,
  },
  'a transport on TLS with a shared secret': {
    security: () => ({ kind: 'secret', secret }),
    address: tcp,
    isSealed: true,
  },
  'a transport on TLS with certificates': {
    security: (name) => ({
      kind: 'certificate',
      cert: certificate(`${name}.pem`),
      key: certificate(`${name}.key`),
      ca: certificate('authority.pem'),
    }),
    address: tcp,
    isSealed: true,
  },
};

for (const [name, under] of Object.entries(KINDS)) peerTransportSuite(name, under);
