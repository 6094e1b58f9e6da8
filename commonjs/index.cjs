// For require(), which can load an ES module in every Node that this package supports, but not in Jest. Jest loads
// modules itself, in a context for each test file, and refuses ES modules there. The functions of `process` come from
// outside that context, and their constructor makes one more function outside it, which has Node's own require. All
// tests of a worker share the module.
const problem = require('./check-node.cjs');
if (problem !== undefined) throw new Error(problem);

try {
  module.exports = require('../dist/index.js');
} catch (error) {
  if (error.code !== 'ERR_REQUIRE_ESM') throw error;
  const { getBuiltinModule } = process.nextTick.constructor('return process')();
  module.exports = getBuiltinModule('node:module').createRequire(__filename)('../dist/index.js');
}
