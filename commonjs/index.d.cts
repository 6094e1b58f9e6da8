import type * as dynaring from '../dist/index.js' with { 'resolution-mode': 'import' };

export type * from '../dist/index.js' with { 'resolution-mode': 'import' };

export declare const startDynaring: typeof dynaring.startDynaring;
// Each as a value and as a type: a declaration here hides both of those exported above.
export declare const AdminError: typeof dynaring.AdminError;
export type AdminError = dynaring.AdminError;
export declare const ConfigError: typeof dynaring.ConfigError;
export type ConfigError = dynaring.ConfigError;
export declare const RingError: typeof dynaring.RingError;
export type RingError = dynaring.RingError;
