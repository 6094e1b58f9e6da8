// Prints the files of a vitest JSON report in which something failed, one a line; none if they are more than a few, since that is no accident.
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';

const FEW = 3;

const { testResults } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const failed = testResults.filter(
  ({ status, assertionResults }) => status === 'failed' || assertionResults.some((test) => test.status === 'failed'),
);
if (failed.length <= FEW) for (const { name } of failed) console.log(relative(process.cwd(), name));
