import { startDynaring } from 'dynaring';

/** One server for all workers, which begin with this process's environment. `global-teardown.mjs` stops it. */
export default async function setup() {
  globalThis.dynaring = await startDynaring();
  process.env.AWS_ENDPOINT_URL_DYNAMODB = globalThis.dynaring.endpoint;
}
