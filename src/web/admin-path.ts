/** Where administrators are served. */
export const ADMIN_PATH = '/_dynaring';

/** @param url path and query */
export function isAdminPath(url: string): boolean {
  return url.startsWith(`${ADMIN_PATH}/`);
}
