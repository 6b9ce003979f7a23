import type { ErrorCode } from '../errors.js';
import { exchange, readJsonText } from '../http/exchange.js';
import { createGuard, type InFlight } from '../http/guard.js';
import type { Provider, ReadJson, ServerMetadata } from '../oauth/provider.js';
import { buildTokenRequest } from '../oauth/token-request.js';
import { readTokenResponse, type TokenSet } from '../oauth/token-response.js';
import type { Host } from '../ports/index.js';

const TIMEOUT_MS = 30_000;
/** Revoking is a courtesy nobody should wait long for. */
const REVOCATION_TIMEOUT_MS = 5_000;
const MAX_BYTES = 1 << 20;

/** Talks to the authorization server, without a browser. */
export interface TokenEndpoint {
  /** From the provider, or asked of the server once. @throws {MortiseError} */
  metadata(): Promise<ServerMetadata>;
  /**
   * Sends one token request, never twice: a code is good for one (RFC 6749 section 4.1.2). Only its time
   * limit or the session's `close` stops it, for the server may have answered already.
   */
  request(
    step: 'exchange' | 'refresh',
    fields: Readonly<Record<string, string>>,
  ): Promise<TokenSet>;
  /** Best effort, refresh token first (RFC 7009 section 2.1). Never rejects. */
  revoke(tokens: Pick<TokenSet, 'accessToken' | 'refreshToken'>): Promise<void>;
}

export function createTokenEndpoint(
  host: Pick<Host, 'http' | 'clock'>,
  provider: Provider,
  inFlight: InFlight,
): TokenEndpoint {
  const { clock } = host;
  const readJson: ReadJson = async (url) => {
    const request = { method: 'GET', url, headers: { accept: 'application/json' } };
    const answer = await exchange(host, request, { timeoutMs: TIMEOUT_MS, inFlight });
    return { status: answer.status, json: readJsonText(await answer.bytes(MAX_BYTES)) };
  };
  let found: Promise<ServerMetadata> | undefined;
  const metadata = () => {
    found ??= Promise.resolve(
      typeof provider.metadata === 'function' ? provider.metadata(readJson) : provider.metadata,
    );
    // A failure is not remembered: the network may be back at the next call.
    found.catch(() => (found = undefined));
    return found;
  };
  return {
    metadata,
    async request(step, fields) {
      const server = await metadata();
      const request = buildTokenRequest(provider, server, server.tokenEndpoint, fields);
      const answer = await exchange(host, request, { timeoutMs: TIMEOUT_MS, inFlight });
      const { status, headers } = answer;
      const json = readJsonText(await answer.bytes(MAX_BYTES));
      const secrets = [provider.clientSecret?.() ?? ''];
      for (const name of ['code', 'code_verifier', 'refresh_token'])
        secrets.push(fields[name] ?? '');
      return readTokenResponse(
        { status, json, retryAfter: headers.get('retry-after') },
        provider.dialect,
        secrets,
        clock.nowMs(),
        (code: ErrorCode) => provider.hints?.(code, step, status),
      );
    },
    async revoke(tokens) {
      const limits = { timeoutMs: REVOCATION_TIMEOUT_MS, inFlight, clock, host: '' };
      // All of it together, finding the server included. Signing out does not depend on it.
      await createGuard(limits)
        .wait(tell(tokens))
        .catch(() => {});
    },
  };

  async function tell({
    refreshToken,
    accessToken,
  }: Pick<TokenSet, 'accessToken' | 'refreshToken'>) {
    const server = await metadata();
    const { revocationEndpoint } = server;
    if (!revocationEndpoint) return;
    for (const [token, token_type_hint] of [
      [refreshToken, 'refresh_token'],
      [accessToken, 'access_token'],
    ] as const) {
      if (token === null) continue;
      const request = buildTokenRequest(provider, server, revocationEndpoint, {
        token,
        token_type_hint,
      });
      const limits = { timeoutMs: REVOCATION_TIMEOUT_MS, inFlight };
      (await exchange(host, request, limits)).discard();
    }
  }
}
