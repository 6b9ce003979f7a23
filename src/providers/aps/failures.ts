import { MortiseError, type AnyMortiseError } from '../../errors.js';
import type { ApiFailure, Hints, OwnProtocol } from '../../oauth/provider.js';
import { readRefusal } from '../../oauth/refusal.js';

/** The platform's own error body, beside the one of RFC 6749. @see Developer's guide, "Error handling" */
interface ErrorBody {
  readonly errorCode?: unknown;
  readonly developerMessage?: unknown;
  readonly meta?: { readonly warnings?: unknown } | null;
}

/** Codes of the token endpoint that mean what RFC 6749 section 5.2 has a word for. */
const OAUTH_ERRORS: Readonly<Record<string, string>> = {
  'AUTH-001': 'unauthorized_client',
  'AUTH-003': 'invalid_client',
  'AUTH-004': 'invalid_scope',
  'AUTH-012': 'invalid_client',
  'ERR-003': 'server_error',
};

/** AUTH-004 is a scope in the list of codes, and in answers also this, which its message tells. */
const SPENT = /\b(code|refresh token)\b.* (expired|invalid)\b/i;

export const refusal: NonNullable<OwnProtocol['refusal']> = ({
  error,
  errorCode,
  developerMessage,
}) => {
  if (typeof errorCode !== 'string' || error !== undefined) return undefined;
  const said = typeof developerMessage === 'string' ? developerMessage.slice(0, 500) : '';
  const isSpent = errorCode === 'AUTH-004' && SPENT.test(said);
  const word = isSpent ? 'invalid_grant' : OAUTH_ERRORS[errorCode];
  // The platform's own code is what its support asks for.
  return word === undefined
    ? { error: errorCode, error_description: said }
    : { error: word, error_description: said ? `${errorCode}: ${said}` : errorCode };
};

/** What the bodies of failing answers mean. Those that say nothing are left to their status. */
export function apiFailure(
  { status, text, json }: ApiFailure,
  hints: Hints,
): AnyMortiseError | 'token refused' | undefined {
  const { errorCode, developerMessage, meta } = Object(json) as ErrorBody;
  if (status === 429) return undefined;
  if (errorCode === 'AUTH-006' && status !== 401) return 'token refused';
  // In plain text, or with the code for a missing privilege.
  if (status === 403 && (errorCode === 'AUTH-010' || /have the privilege/i.test(text))) {
    const hint = hints('insufficient_scope', 'api', status);
    return new MortiseError('insufficient_scope', { status, scope: null }, { hint });
  }
  const said = readRefusal({ error: errorCode, error_description: developerMessage }, []);
  const warnings = readWarnings(meta?.warnings);
  const isSilent = !said.error && !said.errorDescription && warnings.length === 0;
  if (isSilent) return undefined;
  const refused = { ...said, status };
  return status === 403
    ? forbidden(refused, warnings, hints('forbidden', 'api', status))
    : new MortiseError('http_error', refused, { retryable: status >= 500 });
}

const forbidden = (
  refused: { readonly status: number },
  warnings: readonly string[],
  hint: string | undefined,
): MortiseError<'forbidden'> =>
  new MortiseError('forbidden', { ...refused, ...(warnings.length > 0 && { warnings }) }, { hint });

interface Warning {
  readonly HttpStatusCode?: unknown;
  readonly ErrorCode?: unknown;
  readonly Title?: unknown;
  readonly Detail?: unknown;
}

/** An empty list with warnings: something is not permitted, unless all of them speak of other trouble. */
export function nothingBut(
  warnings: readonly unknown[],
  hint: string | undefined,
  secrets: readonly string[],
): MortiseError {
  const told = readWarnings(warnings, secrets);
  const troubles = warnings.filter((warning) => statusOf(warning) >= 500);
  const [trouble] = troubles;
  if (troubles.length < warnings.length) return forbidden({ status: 403 }, told, hint);
  const { ErrorCode } = Object(trouble) as Warning;
  const said = readRefusal({ error: ErrorCode, error_description: told[0] }, secrets);
  return new MortiseError(
    'http_error',
    { ...said, status: statusOf(trouble) },
    { retryable: true },
  );
}

const statusOf = (warning: unknown) => Number((Object(warning) as Warning).HttpStatusCode);

/** `{ Title, Detail }` of `meta.warnings` as text, at most ten of them. @see datamanagement.yaml, 403-general */
function readWarnings(warnings: unknown, secrets: readonly string[] = []): readonly string[] {
  if (!Array.isArray(warnings)) return [];
  return warnings.slice(0, 10).map((warning: unknown) => {
    const { Title, Detail } = Object(warning) as Warning;
    const parts = [Title, Detail].filter((part) => typeof part === 'string');
    const words = parts.map((part) => part.replace(/\.$/, '')).join(': ');
    return (
      readRefusal({ error_description: words }, secrets).errorDescription ?? 'no reason was given'
    );
  });
}
