#!/usr/bin/env node
// The command that npm links. It imports the program only if this Node can load it: an older Node would fail at the
// first import that it does not know, with a page about it.
'use strict';

const problem = require('./check-node.cjs');

if (problem === undefined) import('../dist/cli.js');
else {
  console.error(problem);
  process.exitCode = 1;
}
