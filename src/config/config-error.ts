/** A setting that cannot be: `message` is one line for the user. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}
