import { misconfigured, type ErrorCode } from '../errors.js';
import { exchange, readJsonText } from '../http/exchange.js';
import { createGuard, type InFlight } from '../http/guard.js';
import { codeChallengeOf, createPkce } from '../oauth/pkce.js';
import type {
  Fields,
  Provider,
  ReadDocument,
  ServerMetadata,
  WireRequest,
} from '../oauth/provider.js';
import { buildTokenRequest } from '../oauth/token-request.js';
import { readEndpointAnswer, readTokenResponse, type TokenSet } from '../oauth/token-response.js';
import type { Host } from '../ports/index.js';

const TIMEOUT_MS = 30_000;
/** Revoking is a courtesy nobody should wait long for. */
const REVOCATION_TIMEOUT_MS = 5_000;
const MAX_BYTES = 1 << 20;
/** Cut out of the server's words, should it repeat them. */
const SECRET_FIELDS = ['code', 'code_verifier', 'refresh_token', 'device_code'];

/** Tokens, and what the next refresh must send with them. */
export interface Issued extends TokenSet {
  readonly carried: Fields | null;
}

/** Talks to the authorization server, without a browser. */
export interface TokenEndpoint {
  readonly readDocument: ReadDocument;
  /** From the provider, or asked of the server once. @throws {MortiseError} */
  metadata(): Promise<ServerMetadata>;
  /**
   * Sends one token request, never twice: a code is good for one (RFC 6749 section 4.1.2). Only its time
   * limit or the session's `close` stops it, for the server may have answered already.
   */
  request(step: 'exchange' | 'refresh', fields: Fields): Promise<Issued>;
  /** Asks for a device code (RFC 8628 section 3.1), which nobody misses. @throws {MortiseError} */
  authorizeDevice(signal: AbortSignal): Promise<Readonly<Record<string, unknown>>>;
  /** How far the server's clock is ahead of ours, by its last answer; `null` when it did not say. */
  readonly serverClockAheadMs: number | null;
  /** Resolves when nothing is asked of the server any more. */
  settled(): Promise<void>;
  /** Best effort, refresh token first (RFC 7009 section 2.1). Never rejects. */
  revoke(tokens: Pick<TokenSet, 'accessToken' | 'refreshToken'>): Promise<void>;
}

export function createTokenEndpoint(
  host: Pick<Host, 'http' | 'clock' | 'crypto'>,
  provider: Provider,
  inFlight: InFlight,
): TokenEndpoint {
  const { clock, crypto } = host;
  const { protocol } = provider;
  const readDocument: ReadDocument = async (url) => {
    const request = { method: 'GET', url, headers: { accept: 'application/json' } };
    const answer = await exchange(host, request, { timeoutMs: TIMEOUT_MS, inFlight });
    const bytes = await answer.bytes(MAX_BYTES);
    const text = new TextDecoder().decode(bytes);
    return { status: answer.status, text, json: readJsonText(bytes) };
  };
  let serverClockAheadMs: number | null = null;
  /** What a closing session waits for: requests, and the revocations that may follow from them. */
  const running = new Set<Promise<unknown>>();
  const run = <T>(task: Promise<T>): Promise<T> => {
    running.add(task);
    const over = () => void running.delete(task);
    task.then(over, over);
    return task;
  };
  let found: Promise<ServerMetadata> | undefined;
  const find = async () =>
    typeof provider.metadata === 'function' ? provider.metadata(readDocument) : provider.metadata;
  // A failure is not remembered: the network may be back at the next call.
  const forget = (error: unknown): never => {
    found = undefined;
    throw error;
  };
  const metadata = () => (found ??= find().catch(forget));
  const known = async () => protocol?.known ?? metadata();
  const build = (server: ServerMetadata, fields: Fields): WireRequest | Promise<WireRequest> =>
    protocol?.tokenRequest
      ? protocol.tokenRequest(fields, server, (verifier) => codeChallengeOf(crypto, verifier))
      : buildTokenRequest(provider, server, server.tokenEndpoint, fields);
  return {
    readDocument,
    metadata,
    get serverClockAheadMs() {
      return serverClockAheadMs;
    },
    async request(step, asked) {
      const server = step === 'refresh' ? await known() : await metadata();
      const more = await provider.carry?.(asked, () => createPkce(crypto));
      const fields: Fields = { ...asked, ...more?.send };
      const request = await build(server, fields);
      const issued = await run(ask(request, step, fields, readTokenResponse));
      return { ...issued, carried: more?.keep ?? null };
    },
    async authorizeDevice(signal) {
      const server = await metadata();
      const { deviceAuthorizationEndpoint: url } = server;
      if (!url) throw misconfigured('the server gives no codes for other devices');
      const scope = provider.scopes.join(' ');
      const fields = { ...provider.authorizationParameters, ...(scope && { scope }) };
      const request = buildTokenRequest(provider, server, url, fields);
      return ask(request, 'exchange', {}, readEndpointAnswer, signal);
    },
    async settled() {
      while (running.size > 0) {
        await Promise.allSettled(running);
        // Whoever has asked says now whether the tokens are to be revoked.
        for (let turn = 0; turn < 5; turn += 1) await null;
      }
    },
    async revoke(tokens) {
      const limits = { timeoutMs: REVOCATION_TIMEOUT_MS, inFlight, clock, host: '' };
      // All of it together, finding the server included. Signing out does not depend on it.
      const told = createGuard(limits).wait(tell(tokens));
      await run(told.catch(() => {}));
    },
  };

  async function ask<T>(
    request: WireRequest,
    step: 'exchange' | 'refresh',
    fields: Fields,
    read: (...about: Parameters<typeof readEndpointAnswer>) => T,
    signal?: AbortSignal,
  ): Promise<T> {
    const answer = await exchange(host, request, { timeoutMs: TIMEOUT_MS, inFlight, signal });
    const { status, headers } = answer;
    const serverTimeMs = Date.parse(headers.get('date') ?? '');
    if (serverTimeMs > 0) serverClockAheadMs = serverTimeMs - clock.nowMs();
    const json = readJsonText(await answer.bytes(MAX_BYTES));
    const secrets = SECRET_FIELDS.map((name) => fields[name] ?? '');
    return read(
      { status, json, retryAfter: headers.get('retry-after') },
      { dialect: provider.dialect, protocol, step },
      [provider.clientSecret?.() ?? '', ...secrets],
      clock.nowMs(),
      (code: ErrorCode) => provider.hints?.(code, step, status),
    );
  }

  async function tell(tokens: Pick<TokenSet, 'accessToken' | 'refreshToken'>): Promise<void> {
    const server = await known();
    const requests = protocol?.revocationRequests?.(tokens, server) ?? standard(tokens, server);
    for (const request of requests) {
      const limits = { timeoutMs: REVOCATION_TIMEOUT_MS, inFlight };
      (await exchange(host, request, limits)).discard();
    }
  }

  function standard(
    { refreshToken, accessToken }: Pick<TokenSet, 'accessToken' | 'refreshToken'>,
    server: ServerMetadata,
  ): readonly WireRequest[] {
    const { revocationEndpoint } = server;
    if (!revocationEndpoint) return [];
    const one = (token: string, token_type_hint: string) =>
      buildTokenRequest(provider, server, revocationEndpoint, { token, token_type_hint });
    const access = one(accessToken, 'access_token');
    return refreshToken === null ? [access] : [one(refreshToken, 'refresh_token'), access];
  }
}
