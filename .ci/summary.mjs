// Prints vitest's JSON report as one line, `N passed, N failed`, and `, N skipped` if any were. A file that could not be loaded has no tests to count:
// it counts as one failed.
import { readFileSync } from 'node:fs';

const { testResults, numPassedTests, numPendingTests } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const failures = testResults.map(({ status, assertionResults }) => {
  const failed = assertionResults.filter((result) => result.status === 'failed').length;
  return status === 'failed' ? Math.max(1, failed) : failed;
});
const failed = failures.reduce((sum, count) => sum + count, 0);
const skipped = numPendingTests > 0 ? `, ${numPendingTests} skipped` : '';
console.log(`${numPassedTests} passed, ${failed} failed${skipped}`);
