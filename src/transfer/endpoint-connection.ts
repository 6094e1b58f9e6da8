import { setMaxListeners } from 'node:events';
import { Agent, type IncomingMessage, request as requestHttp } from 'node:http';
import { Agent as AgentOfHttps, request as requestHttps } from 'node:https';
import { type Answer, answerOf, type Refusal } from './answer.ts';
import { Interrupted, TransferError } from './failure.ts';
import type { Endpoint } from './service-endpoint.ts';
import { signedHeaders } from './sign.ts';
import { LIMITS } from './transfer-limits.ts';
import type { World } from './world.ts';

/** The outcome of a request after all its attempts. */
export type Result = { readonly kind: 'answered'; readonly body: string } | Refusal;

/** A client of one endpoint. Keeps connections open, and retries transient failures. */
export class Connection {
  readonly endpoint: Endpoint;
  readonly #world: World;
  readonly #agent: Agent;
  readonly #closing = new AbortController();
  readonly #stopping = new AbortController();
  /** The number of retries so far, for the progress display. */
  retries = 0;
  #hasAnswered = false;

  /** @param concurrency how many connections may be open at a time */
  constructor(endpoint: Endpoint, world: World, concurrency: number) {
    this.endpoint = endpoint;
    this.#world = world;
    // Every request that waits for a retry listens to it, so there may be many listeners.
    setMaxListeners(0, this.#stopping.signal);
    const options = { keepAlive: true, maxSockets: concurrency };
    this.#agent = endpoint.url.protocol === 'https:' ? new AgentOfHttps(options) : new Agent(options);
  }

  /**
   * Sends one request, and retries transient failures.
   * @param body JSON
   * @throws TransferError when all attempts have failed
   * @throws Interrupted if the connection is closed or may not retry
   */
  async send(operation: string, body: string): Promise<Result> {
    for (let attempt = 1; ; attempt++) {
      const answer = await this.#attempt(operation, body);
      if (this.#closing.signal.aborted) throw new Interrupted();
      if (answer.kind !== 'failed') {
        this.#hasAnswered = true;
        return answer;
      }
      const limit = this.#hasAnswered || answer.code === undefined ? LIMITS.maxAttempts : LIMITS.maxFirstAttempts;
      if (attempt >= limit) throw this.#givenUp(answer, attempt);
      await this.pauseBeforeRetry(attempt);
    }
  }

  /** Sends a request and parses the answer. @throws TransferError for a refusal too */
  async ask<Answer>(operation: string, request: object): Promise<Answer> {
    const result = await this.send(operation, JSON.stringify(request));
    if (result.kind === 'answered') return JSON.parse(result.body) as Answer;
    throw new TransferError(`${this.endpoint.url.origin} refused ${operation}: ${result.name}: ${result.message}`);
  }

  /** Lets attempts in progress end, and retries none that fail. */
  stopRetrying(): void {
    this.#stopping.abort();
  }

  /** Aborts all requests. */
  close(): void {
    this.stopRetrying();
    this.#closing.abort();
    this.#agent.destroy();
  }

  #givenUp({ problem, code }: Answer & { kind: 'failed' }, attempts: number): TransferError {
    const { origin } = this.endpoint.url;
    if (!this.#hasAnswered && code !== undefined) {
      return new TransferError(`nothing answers at ${origin} (${code}): is it running, and is this its address?`);
    }
    return new TransferError(`${origin} failed ${attempts} times, at last with ${problem}`);
  }

  /**
   * Waits for the backoff before the next attempt, and counts a retry.
   * @throws Interrupted if there is to be none
   */
  async pauseBeforeRetry(attempt: number): Promise<void> {
    this.retries++;
    const longest = Math.min(LIMITS.firstPauseMs * 2 ** (attempt - 1), LIMITS.maxPauseMs);
    try {
      await this.#world.sleep(longest * (0.5 + this.#world.random() / 2), this.#stopping.signal);
    } catch {
      throw new Interrupted();
    }
  }

  #attempt(operation: string, body: string): Promise<Answer> {
    const { url } = this.endpoint;
    const send = url.protocol === 'https:' ? requestHttps : requestHttp;
    return new Promise((resolve) => {
      const fail = (error: Error & { code?: string }) =>
        resolve({ kind: 'failed', problem: error.code ?? error.message, code: error.code ?? 'an error' });
      const request = send(url, {
        method: 'POST',
        agent: this.#agent,
        headers: signedHeaders(this.endpoint, operation, body),
        timeout: LIMITS.answerTimeoutMs,
      });
      request.on('timeout', () => request.destroy(Object.assign(new Error(), { code: 'ETIMEDOUT' })));
      request.on('error', fail);
      request.on('response', (response) => readBody(response, resolve, fail));
      request.end(body);
    });
  }
}

function readBody(response: IncomingMessage, resolve: (answer: Answer) => void, fail: (error: Error) => void): void {
  const chunks: Buffer[] = [];
  let length = 0;
  response.on('error', fail);
  response.on('aborted', () => fail(Object.assign(new Error(), { code: 'ECONNRESET' })));
  response.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    length += chunk.length;
    if (length > LIMITS.maxAnswerBytes) response.destroy(new Error(`an answer of over ${LIMITS.maxAnswerBytes} bytes`));
  });
  response.on('end', () => {
    const checksum = response.headers['x-amz-crc32'] as string | undefined;
    resolve(answerOf(response.statusCode!, checksum, chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)));
  });
}
