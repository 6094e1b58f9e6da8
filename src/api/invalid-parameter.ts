import { ApiError } from './errors.ts';

/** A `ValidationException` in the words that most rules between parameters begin with. */
export function invalidParameter(problem: string): ApiError {
  return ApiError.validation(`One or more parameter values were invalid: ${problem}`);
}
