import { CONNECTION_KINDS } from '../parts/connection-kinds.ts';
import { peerTransportSuite } from '../suites/peer-transport.ts';

for (const [name, kind] of Object.entries(CONNECTION_KINDS)) peerTransportSuite(`a transport on ${name}`, kind);
