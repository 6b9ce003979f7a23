import { inspect } from 'node:util';
import { isMortiseError, type AnyMortiseError } from 'mortise';

/** Marks, in every test here, what no error may hold. */
export const SECRET = 'SECRET';

/** However an error is looked at. */
export function everyPrintOf(error: Error): string {
  return [
    inspect(error, { depth: 20, showHidden: true }),
    JSON.stringify({ ...error, message: error.message, cause: error.cause }),
    String(error),
    error.stack,
  ].join('\n');
}

/** The failure of `work`: one of ours, whoever prints it learns no secret, and it says what to do. */
export async function failureOf(work: PromiseLike<unknown>): Promise<AnyMortiseError> {
  let value: unknown;
  try {
    value = await work;
  } catch (error) {
    if (!isMortiseError(error)) throw new Error('not one of ours', { cause: error });
    expect(everyPrintOf(error)).not.toContain(SECRET);
    expect(error.hint).not.toBe('');
    return error;
  }
  throw new Error(`nothing failed: ${inspect(value)}`);
}
