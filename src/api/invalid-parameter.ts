import { ApiError } from './errors.ts';

/** A `ValidationException` in the words that most rules between parameters begin with. */
export function invalidParameter(problem: string): ApiError {
  return ApiError.validation(`One or more parameter values were invalid: ${problem}`);
}

/**
 * A `ValidationException` in the words of the checks that the schemas make, for constraints that no schema here can say
 * because the service applies them to one operation of several that share a shape.
 * @param path of the member, such as `LocalSecondaryIndexes.1.member.KeySchema`
 */
export function constraintFailed(path: string, constraint: string): ApiError {
  return ApiError.validation(
    `1 validation error detected: Value at '${path}' failed to satisfy constraint: ${constraint}`,
  );
}
