import { MortiseError, type AnyMortiseError } from '../../errors.js';
import type { ApiFailure, Hints, OwnProtocol } from '../../oauth/provider.js';
import { readRefusal } from '../../oauth/refusal.js';
import { readRetryAfterMs } from '../../oauth/retry-after.js';

/** The platform's own error body, beside the one of RFC 6749. @see Developer's guide, "Error handling" */
interface ErrorBody {
  readonly errorCode?: unknown;
  readonly developerMessage?: unknown;
  readonly meta?: { readonly warnings?: unknown };
}

/** Codes of the token endpoint that mean what RFC 6749 section 5.2 has a word for. */
const OAUTH_ERRORS: Readonly<Record<string, string>> = {
  'AUTH-001': 'unauthorized_client',
  'AUTH-003': 'invalid_client',
  'AUTH-012': 'invalid_client',
  'ERR-003': 'server_error',
};

export const refusal: NonNullable<OwnProtocol['refusal']> = ({
  error,
  errorCode,
  developerMessage,
}) =>
  typeof errorCode === 'string' && error === undefined
    ? { error: OAUTH_ERRORS[errorCode] ?? errorCode, error_description: developerMessage }
    : undefined;

/** What the bodies of failing answers mean. Those that say nothing are left to their status. */
export function apiFailure(
  { status, headers, text, json }: ApiFailure,
  hints: Hints,
): AnyMortiseError | 'token refused' | undefined {
  const { errorCode, developerMessage, meta } = Object(json) as ErrorBody;
  const retryAfterMs = readRetryAfterMs(headers.get('retry-after'), 0);
  if (status === 429 || (status >= 500 && retryAfterMs !== null)) return undefined;
  if (errorCode === 'AUTH-006') return 'token refused';
  const make = (error: MortiseError) => error as AnyMortiseError;
  const said = readRefusal({ error: errorCode, error_description: developerMessage }, [], status);
  const refused = { ...said, status };
  if (status === 403) {
    // In plain text, or with the code for a missing privilege.
    if (errorCode === 'AUTH-010' || /have the privilege/i.test(text)) {
      const hint = hints('insufficient_scope', 'api', status);
      return make(new MortiseError('insufficient_scope', { status, scope: null }, { hint }));
    }
    return make(
      forbidden(refused, readWarnings(meta?.warnings), hints('forbidden', 'api', status)),
    );
  }
  if (status === 401 || said.error === undefined) return undefined;
  return make(new MortiseError('http_error', refused, { retryable: status >= 500 }));
}

export const forbidden = (
  refused: { readonly status: number },
  warnings: readonly string[],
  hint: string | undefined,
): MortiseError<'forbidden'> =>
  new MortiseError('forbidden', { ...refused, ...(warnings.length > 0 && { warnings }) }, { hint });

/** `{ Title, Detail }` of `meta.warnings` as text, at most ten of them. @see datamanagement.yaml, 403-general */
export function readWarnings(warnings: unknown): readonly string[] {
  if (!Array.isArray(warnings)) return [];
  return warnings.slice(0, 10).map((warning: unknown) => {
    const { Title, Detail } = Object(warning) as { Title?: unknown; Detail?: unknown };
    const words = [Title, Detail].filter((part) => typeof part === 'string').join(': ');
    return readRefusal({ error_description: words }, []).errorDescription ?? 'no reason was given';
  });
}
