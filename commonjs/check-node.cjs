// Checks whether this Node can run Dynaring. An older Node must be able to run this file: it uses no module and no
// syntax of later versions. As a program, which a build runs first, it prints what is wrong and exits with status 1.
'use strict';

const needed = require('../package.json').engines.node.replace('>=', '');
const [has, needs] = [process.versions.node, needed].map((version) => version.split('.').map(Number));
const isOld = has[0] < needs[0] || (has[0] === needs[0] && has[1] < needs[1]);

/** One line; undefined if nothing is wrong. */
const problem = isOld ? `dynaring needs Node ${needed} or later, and this is Node ${process.versions.node}` : undefined;
module.exports = problem;

if (require.main === module && problem !== undefined) {
  console.error(problem);
  process.exitCode = 1;
}
