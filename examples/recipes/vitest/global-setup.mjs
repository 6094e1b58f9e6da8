import { startDynaring } from 'dynaring';

/** One server for all test files. What this returns is called when all are done. */
export async function setup({ provide }) {
  const dynaring = await startDynaring();
  provide('endpoint', dynaring.endpoint);
  return () => dynaring.stop();
}
