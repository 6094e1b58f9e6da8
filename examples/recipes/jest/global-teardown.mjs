export default async function teardown() {
  await globalThis.dynaring.stop();
}
