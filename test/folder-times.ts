import { dirname, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Reporter, TestModule } from 'vitest/node';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

interface FolderTime {
  tests: number;
  /** Of the tests and hooks, without what loading their files took. */
  testsMs: number;
  loadingMs: number;
}

/** A reporter that prints how long the tests of each folder took, and the whole run. Two workers' times add up to more. */
export default class FolderTimes implements Reporter {
  #startMs = 0;

  onTestRunStart(): void {
    this.#startMs = performance.now();
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const folders = new Map<string, FolderTime>();
    for (const module of modules) {
      const folder = dirname(relative(ROOT, module.moduleId)).split('/').slice(0, 2).join('/');
      const time = folders.get(folder) ?? { tests: 0, testsMs: 0, loadingMs: 0 };
      const { duration, collectDuration, setupDuration } = module.diagnostic();
      time.tests += [...module.children.allTests()].length;
      time.testsMs += duration;
      time.loadingMs += collectDuration + setupDuration;
      folders.set(folder, time);
    }
    const rows = [...folders].sort(([, a], [, b]) => b.testsMs - a.testsMs);
    console.log(`\n${'folder'.padEnd(18)}${'tests'.padStart(7)}${'s'.padStart(8)}${'loading'.padStart(9)}`);
    for (const [folder, { tests, testsMs, loadingMs }] of rows) {
      console.log(
        folder.padEnd(18) + String(tests).padStart(7) + seconds(testsMs).padStart(8) + seconds(loadingMs).padStart(9),
      );
    }
    console.log(`all of it, on the clock: ${seconds(performance.now() - this.#startMs)} s`);
  }
}

const seconds = (ms: number) => (ms / 1000).toFixed(1);
