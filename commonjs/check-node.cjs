// Whether this Node can run Dynaring. What is here has to be understood by a Node that cannot: no module and no syntax of later
// ones. As a program, which a build begins with, it says what is wrong and ends with status 1.
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
