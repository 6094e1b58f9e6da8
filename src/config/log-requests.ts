import type { Config } from '../config.ts';
import type { Log } from '../env/log.ts';
import type { OnRequest } from '../web/request-log.ts';

/** Writes a log line for each request. Undefined if the settings want none, so that nothing is collected for it. */
export function requestLog({ logRequests, logLevel }: Config, log: Log): OnRequest | undefined {
  const isInfoWritten = logLevel === 'debug' || logLevel === 'info';
  if (logRequests && isInfoWritten) return (entry) => log.info('request', { ...entry });
  return logLevel === 'debug' ? (entry) => log.debug('request', { ...entry }) : undefined;
}
