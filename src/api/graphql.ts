import { MortiseError, type AnyMortiseError, type ErrorCode } from '../errors.js';
import { readRefusal, readScope } from '../oauth/refusal.js';
import type { ApiSend } from '../oauth/provider.js';

export interface GraphqlOptions {
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number;
}

/** One entry of a response's `errors`, as the server sent it. @see GraphQL, October 2021, section 7.1.2 */
export interface GraphqlProblem {
  readonly message?: string;
  readonly path?: readonly (string | number)[];
  readonly extensions?: { readonly code?: string; readonly [name: string]: unknown };
  readonly [field: string]: unknown;
}

/** Data, and what of it is missing: a resolver that fails leaves a `null` and an entry of `errors`. */
export interface GraphqlResult<Data> {
  readonly data: Data;
  readonly errors: readonly GraphqlProblem[];
}

/** What a platform's error codes mean, where there is no data at all. */
export interface GraphqlMeanings {
  /** `forbidden` with a `scope` beside the code is `insufficient_scope`; `http_error` is status 401. */
  readonly codes: Readonly<Record<string, 'forbidden' | 'http_error' | 'rate_limited'>>;
  readonly hint: (meant: ErrorCode, code: string) => string | undefined;
}

/** The tokens in use: the server's words may repeat them. */
type Secrets = () => readonly string[];

export type Graphql = <Data = Readonly<Record<string, unknown>>>(
  query: string,
  variables?: Readonly<Record<string, unknown>>,
  options?: GraphqlOptions,
) => Promise<GraphqlResult<Data>>;

/** Whatever holds the word may be one; what does not is safe to send again. */
const MUTATION = /\bmutation\b/;

/**
 * Makes the function that sends GraphQL operations by POST.
 *
 * @throws {MortiseError} From the function: `graphql_error`, or what `meanings` make of it, when there is no data.
 */
export function createGraphql(
  send: ApiSend,
  path: string,
  meanings: GraphqlMeanings,
  secrets: Secrets,
): Graphql {
  return async <Data>(
    query: string,
    variables: Readonly<Record<string, unknown>> = {},
    { signal, timeoutMs }: GraphqlOptions = {},
  ) => {
    const answer = await send({
      method: 'POST',
      path,
      json: { query, variables },
      headers: { accept: 'application/json' },
      idempotent: !MUTATION.test(query),
      signal,
      ...(timeoutMs !== undefined && { timeoutMs }),
    });
    const { data, errors } = Object(await answer.json()) as { data?: unknown; errors?: unknown };
    const problems = readProblems(errors);
    if (typeof data === 'object' && data && !Array.isArray(data) && hasData(data, problems)) {
      return { data: data as Data, errors: problems };
    }
    if (problems.length === 0) {
      const problem = 'it holds neither data nor errors';
      throw new MortiseError('malformed_response', { problem, status: answer.status });
    }
    throw graphqlError(problems, meanings, secrets());
  };
}

/** `{ "activeUser": null }` beside an error is no data: the one field asked for is the one that failed. */
const hasData = (data: object, problems: readonly GraphqlProblem[]): boolean =>
  problems.length === 0 || Object.values(data).some((value) => value !== null);

/** The entries of `errors` that are entries. */
export const readProblems = (errors: unknown): readonly GraphqlProblem[] =>
  Array.isArray(errors)
    ? errors.filter((entry): entry is GraphqlProblem => typeof entry === 'object' && entry !== null)
    : [];

/** The first code that has a meaning, or `graphql_error`. */
export function graphqlError(
  problems: readonly GraphqlProblem[],
  { codes: meanings, hint }: GraphqlMeanings,
  secrets: readonly string[],
): AnyMortiseError {
  const codeOf = ({ extensions }: GraphqlProblem): string =>
    typeof extensions?.code === 'string' ? extensions.code : '';
  const known = Object.keys(meanings);
  const found = problems.find((problem) => known.includes(codeOf(problem)));
  const code = found ? codeOf(found) : '';
  const scope = found?.extensions?.['scope'];
  const options = (meant: ErrorCode) => ({ hint: hint(meant, code) });
  switch (found && meanings[code]) {
    case 'forbidden':
      if (typeof scope !== 'string' || !/^[\w:.-]{1,100}$/.test(scope)) {
        return new MortiseError('forbidden', { status: 403 }, options('forbidden'));
      }
      return new MortiseError(
        'insufficient_scope',
        { status: 403, scope: readScope(scope, secrets) },
        options('insufficient_scope'),
      );
    case 'http_error':
      return new MortiseError('http_error', { status: 401 }, options('http_error'));
    case 'rate_limited':
      return new MortiseError(
        'rate_limited',
        { status: 429, retryAfterMs: null },
        options('rate_limited'),
      );
  }
  const texts = problems
    .slice(0, 10)
    .map(({ extensions, message }) =>
      readRefusal({ error: extensions?.code, error_description: message }, secrets),
    );
  const codes = texts.flatMap(({ error = [] }) => error);
  const messages = texts.flatMap(({ errorDescription = [] }) => errorDescription);
  return new MortiseError('graphql_error', { codes, messages }, options('graphql_error'));
}
