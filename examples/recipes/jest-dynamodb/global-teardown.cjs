module.exports = () => globalThis.dynaring.stop();
