import { MortiseError } from '../errors.js';
import { randomText } from '../oauth/pkce.js';
import { accountNumber, type Context } from './context.js';
import { keep } from './held-session.js';
import type { Issued } from './token-endpoint.js';

/** Keeps a token for fewer scopes beside the session's own, which lives on with the next refresh token. */
export async function keepNarrowed(
  context: Context,
  issued: Issued,
  isLate: () => boolean,
  scope: string,
): Promise<void> {
  const { held, host, endpoint, narrowed, provider } = context;
  const { accessToken, lifetimeMs, refreshToken, carried } = issued;
  const account = accountNumber(context);
  const receivedAtMs = host.clock.nowMs();
  const receivedMonotonicMs = host.clock.monotonicMs();
  if (held && provider.grant === 'authorization_code') {
    const revision = randomText(host.crypto);
    const next = refreshToken ?? held.refreshToken;
    await keep(context, { ...held, refreshToken: next, carried, revision });
  }
  if (isLate()) return endpoint.revoke({ accessToken, refreshToken: null });
  const asked = scope.split(' ');
  if (issued.scopes?.some((granted) => !asked.includes(granted))) {
    // Not revoked: a server may end the whole grant with it (RFC 7009 section 2.1).
    const problem = 'it allows more than was asked for';
    const refusal = new MortiseError('malformed_response', { problem });
    context.unobtainable.set(scope, refusal);
    throw refusal;
  }
  narrowed.set(scope, { accessToken, lifetimeMs, receivedAtMs, receivedMonotonicMs, account });
}
