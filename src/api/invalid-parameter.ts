import { ApiError } from './errors.ts';

/** A `ValidationException` that begins with the words of most rules between parameters. */
export function invalidParameter(problem: string): ApiError {
  return ApiError.validation(`One or more parameter values were invalid: ${problem}`);
}
