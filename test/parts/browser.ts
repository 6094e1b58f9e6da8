import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';

/** What Debian, its derivatives and Google call it. */
const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];
/** It runs as root in CI; and it shall ask nothing of the network beside the page. */
const FLAGS = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-dev-shm-usage'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync', '--remote-debugging-pipe'],
];

/** @returns the program of a Chromium that is installed here, or undefined */
export function findBrowser(): string | undefined {
  return NAMES.find((name) => {
    try {
      execFileSync(name, ['--version'], { stdio: 'ignore', timeout: 20_000 });
      return true;
    } catch {
      return false;
    }
  });
}

interface Answer {
  readonly id?: number;
  readonly method?: string;
  readonly error?: { readonly message: string };
  // biome-ignore lint/suspicious/noExplicitAny: the protocol has hundreds of answers.
  readonly result?: any;
}

/** One page of a headless Chromium that is told what to do by the DevTools protocol, over a pipe: no port, no package. */
export class BrowserPage {
  readonly #child: ChildProcess;
  readonly #profile: string;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  readonly #loads: (() => void)[] = [];
  #session: string | undefined;
  #lastId = 0;

  private constructor(program: string) {
    this.#profile = mkdtempSync(join(tmpdir(), 'dynaring-browser-'));
    this.#child = spawn(program, [...FLAGS, `--user-data-dir=${this.#profile}`, 'about:blank'], {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
      // A process group of its own, so that its helpers can be killed with it.
      detached: true,
    });
    let text = '';
    (this.#child.stdio[4] as Readable).setEncoding('utf8').on('data', (part: string) => {
      const messages = (text + part).split('\0');
      text = messages.pop()!;
      for (const message of messages) this.#receive(JSON.parse(message));
    });
  }

  static async open(program: string): Promise<BrowserPage> {
    const page = new BrowserPage(program);
    const { targetId } = await page.#ask('Target.createTarget', { url: 'about:blank' });
    page.#session = (await page.#ask('Target.attachToTarget', { targetId, flatten: true })).sessionId;
    await page.#ask('Page.enable', {});
    return page;
  }

  /** Resolves when the page is loaded, also what its scripts load before `load`. */
  async goto(url: string): Promise<void> {
    const loaded = this.loaded();
    await this.#ask('Page.navigate', { url });
    await loaded;
  }

  /** The next `load` of a page. Ask before what causes it. */
  loaded(): Promise<void> {
    return new Promise((resolve) => this.#loads.push(resolve));
  }

  /** @returns the value of an expression in the page, as JSON carries it */
  async evaluate(expression: string): Promise<unknown> {
    const { result, exceptionDetails } = await this.#ask('Runtime.evaluate', { expression, returnByValue: true });
    if (exceptionDetails !== undefined) throw new Error(`in the page: ${JSON.stringify(exceptionDetails)}`);
    return result.value;
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#child.once('close', resolve));
    // Its helpers would go on writing into the profile.
    process.kill(-this.#child.pid!, 'SIGKILL');
    await closed;
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }

  async #ask(method: string, params: object): Promise<Answer['result']> {
    const id = ++this.#lastId;
    const answer = await new Promise<Answer>((resolve) => {
      this.#waiting.set(id, resolve);
      const session = this.#session === undefined ? {} : { sessionId: this.#session };
      (this.#child.stdio[3] as Writable).write(`${JSON.stringify({ id, method, params, ...session })}\0`);
    });
    if (answer.error !== undefined) throw new Error(`${method}: ${answer.error.message}`);
    return answer.result;
  }

  #receive(answer: Answer): void {
    if (answer.method === 'Page.loadEventFired') for (const resolve of this.#loads.splice(0)) resolve();
    if (answer.id === undefined) return;
    this.#waiting.get(answer.id)?.(answer);
    this.#waiting.delete(answer.id);
  }
}
