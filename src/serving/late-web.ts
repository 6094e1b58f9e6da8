import type { Security } from '../config/client-security.ts';
import type { Config } from '../config.ts';
import type { Clock } from '../env/clock.ts';
import type { Log } from '../env/log.ts';
import { nextTurn } from '../env/next-turn.ts';
import { LateServer } from '../web/late-server.ts';
import { createRequestIds } from './request-ids.ts';

interface LateWebParts {
  readonly config: Config;
  readonly security: Security | undefined;
  readonly clock: Clock;
  readonly log: Log;
  /** That of this process: ids of requests begin with it. */
  readonly diskId: number;
}

/** Makes the web server of a process that listens before it knows its cluster. */
export function createLateWeb({ config, security, clock, log, diskId }: LateWebParts): LateServer {
  const { limits, corsOrigins } = config;
  return new LateServer(
    {
      nowMs: () => clock.now(),
      requestId: createRequestIds(diskId),
      onInternalError: (error) => log.error('a request failed by a bug', { error }),
      limits: limits.web,
      pause: nextTurn,
      corsOrigins,
      https: security?.https,
      authenticate: security?.authenticate,
    },
    () => clock.elapsedMs(),
  );
}
