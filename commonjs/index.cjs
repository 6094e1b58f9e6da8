// For require(), which takes an ES module in each Node that this package runs on; not so in Jest. That loads modules itself,
// into a context of its own for each test file, and refuses ES modules there. The functions of `process` are from outside of
// such a context, and their constructor makes one more: it has Node's own require. All tests of a worker share the module.
const problem = require('./check-node.cjs');
if (problem !== undefined) throw new Error(problem);

try {
  module.exports = require('../dist/index.js');
} catch (error) {
  if (error.code !== 'ERR_REQUIRE_ESM') throw error;
  const { getBuiltinModule } = process.nextTick.constructor('return process')();
  module.exports = getBuiltinModule('node:module').createRequire(__filename)('../dist/index.js');
}
