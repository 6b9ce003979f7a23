import { createApiClient } from '../api/client.js';
import { MortiseError, isMortiseError, misconfigured } from '../errors.js';
import { createInFlight, stopAll, untilStopped, type InFlight } from '../http/guard.js';
import type { ApiSend, PlatformApi, Provider, ReadDocument } from '../oauth/provider.js';
import { accessToken, type AccessTokenOptions, type TokenDemand } from './access-token.js';
import { accountNumber, type Context } from './context.js';
import { askIdentity } from './identity.js';

/** What somebody else's code may be given of a session: no refresh token, no secret, no way to sign out. */
export interface SharedAccess<Api> {
  getAccessToken(options?: AccessTokenOptions): Promise<string>;
  readonly api: Api;
}

export interface ShareOptions {
  /**
   * Fewer scopes than the session's. The token for them is asked for when it is first needed, and costs a
   * refresh of its own.
   */
  readonly scopes?: readonly string[] | undefined;
  /** Ends the access: what is under way and what comes later rejects with `aborted`. */
  readonly signal?: AbortSignal | undefined;
}

type GetToken = (demand: TokenDemand) => Promise<string>;

const ANY: TokenDemand = {};

/** Tokens and API of a session, all stopped by one `inFlight`. */
export function createAccess<Api extends PlatformApi>(
  context: Context,
  provider: Provider<Api>,
  inFlight: InFlight,
  token: GetToken,
): SharedAccess<Api> {
  const { host, endpoint } = context;
  const connect = (base: string | (() => Promise<string>)): ApiSend =>
    createApiClient({
      host,
      inFlight,
      base: typeof base === 'string' ? () => base : oncePerToken(context, base),
      token: (refused, signal) => token({ refused, signal }),
      generation: () => accountNumber(context),
      hint: (code, status) => provider.hints?.(code, 'api', status),
      readFailure: provider.apiFailure,
    });
  /** What needs no token ends with the access, too. */
  const whileOpen = async <T>(start: () => Promise<T>): Promise<T> => {
    if (inFlight.isClosed) throw new MortiseError('aborted', {});
    return untilStopped(start(), inFlight);
  };
  const metadata = () => whileOpen(endpoint.metadata);
  const readDocument: ReadDocument = (url) => whileOpen(() => endpoint.readDocument(url));
  const secrets = () =>
    [context.held, ...context.narrowed.values()].map((each) => each?.accessToken ?? '');
  return {
    getAccessToken: (options) => token(options ?? ANY),
    api: provider.api({
      connect,
      metadata,
      readDocument,
      secrets,
      askIdentity: () => askIdentity(context),
    }),
  };
}

/**
 * Lends a session's tokens and API.
 *
 * @throws {MortiseError} `configuration_error` for scopes the session does not ask for, or where the platform
 * gives no token for fewer.
 */
export function shareAccess<Api extends PlatformApi>(
  context: Context,
  provider: Provider<Api>,
  { scopes, signal }: ShareOptions,
): SharedAccess<Api> {
  const parent = context.inFlight;
  const inFlight = createInFlight();
  const scope = fewer(provider, scopes);
  /** What was lent may end before the session does. */
  const token: GetToken = ({ minValidityMs, signal: caller, refused }) => {
    if (inFlight.isClosed) return Promise.reject(new MortiseError('aborted', {}));
    const demand = {
      ...(minValidityMs !== undefined && { minValidityMs }),
      signal: caller,
      refused,
      scope,
    };
    return untilStopped(accessToken(context, demand), inFlight);
  };
  const access = createAccess(context, provider, inFlight, token);
  const stop = () => {
    stopAll(inFlight);
    parent.stops.delete(stop);
    signal?.removeEventListener('abort', stop);
  };
  parent.stops.add(stop);
  signal?.addEventListener('abort', stop);
  if (signal?.aborted || parent.isClosed) stop();
  return access;
}

function fewer(
  { scopes: own, dialect }: Pick<Provider, 'scopes' | 'dialect'>,
  wanted: readonly string[] | undefined,
): string | undefined {
  if (wanted === undefined) return undefined;
  const scopes = [...new Set(wanted)].sort();
  if (scopes.length === 0) throw misconfigured('scopes must name at least one scope');
  if (!scopes.every((scope) => own.includes(scope))) {
    throw misconfigured('scopes must be among those the provider asks for');
  }
  if (own.every((scope) => scopes.includes(scope))) return undefined;
  if (dialect.fewerScopes !== 'offered')
    throw misconfigured('the platform gives no token for fewer scopes');
  return scopes.join(' ');
}

/**
 * Asks for the API base once for each token of the session: another user may live in another region, and the
 * platform tells with it who the token is of. While it cannot be asked, the same user's last one is good.
 */
function oncePerToken(
  context: Context,
  ask: () => Promise<string>,
): () => string | Promise<string> {
  interface Base {
    readonly token: string | undefined;
    readonly account: number;
    base: string | Promise<string>;
  }
  let found: Base | undefined;
  return () => {
    const token = context.held?.accessToken;
    const account = accountNumber(context);
    const last = found;
    if (last && last.account === account && last.token === token) return last.base;
    const asked: Base = {
      token,
      account,
      base: ask().catch((error: unknown) => {
        const isKnown = last?.account === account && typeof last.base === 'string';
        if (found === asked) found = isKnown ? last : undefined;
        if (isKnown && isMortiseError(error) && error.retryable) return last.base;
        throw error;
      }),
    };
    found = asked;
    Promise.resolve(asked.base).then(
      (base) => (asked.base = base),
      () => {},
    );
    return asked.base;
  };
}
