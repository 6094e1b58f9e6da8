// Prints vitest's JSON reports as one line, `N passed, N failed`, and `, N skipped` if any were. A file that could not be loaded has no tests to count:
// it counts as one failed. A file counts as the last report that has it says.
import { readFileSync } from 'node:fs';

const files = new Map();
for (const path of process.argv.slice(2)) {
  for (const result of JSON.parse(readFileSync(path, 'utf8')).testResults) files.set(result.name, result);
}
const counts = { passed: 0, failed: 0, skipped: 0 };
for (const { status, assertionResults } of files.values()) {
  const those = (...statuses) => assertionResults.filter((test) => statuses.includes(test.status)).length;
  const failed = those('failed');
  counts.passed += those('passed');
  counts.skipped += those('pending', 'skipped', 'todo');
  counts.failed += status === 'failed' ? Math.max(1, failed) : failed;
}
const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : '';
console.log(`${counts.passed} passed, ${counts.failed} failed${skipped}`);
