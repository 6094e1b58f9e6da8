/** An invalid setting: `message` is one line for the user. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}
