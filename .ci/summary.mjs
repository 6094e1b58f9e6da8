// Prints vitest's JSON reports as one line, `N passed, N failed`, and `, N skipped` if any were. A file that could not be loaded has no tests to count:
// it counts as one failed.
import { readFileSync } from 'node:fs';

const reports = process.argv.slice(2).map((path) => JSON.parse(readFileSync(path, 'utf8')));
const sum = (numbers) => numbers.reduce((total, each) => total + each, 0);
const failures = reports
  .flatMap(({ testResults }) => testResults)
  .map(({ status, assertionResults }) => {
    const failed = assertionResults.filter((result) => result.status === 'failed').length;
    return status === 'failed' ? Math.max(1, failed) : failed;
  });
const pending = sum(reports.map(({ numPendingTests }) => numPendingTests));
const passed = sum(reports.map(({ numPassedTests }) => numPassedTests));
const skipped = pending > 0 ? `, ${pending} skipped` : '';
console.log(`${passed} passed, ${sum(failures)} failed${skipped}`);
