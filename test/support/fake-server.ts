import { randomBytes } from 'node:crypto';
import type { HttpRequest, HttpResponse } from '../../src/ports/index.js';
import { oauth } from '../../src/providers/oauth.js';
import { toResponse, type FakeAnswer } from './fake-host.js';

export const ORIGIN = 'https://auth.example';

/** The provider of {@link createFakeServer}. */
export const fakeProvider = (more: { clientSecret?: string } = {}) =>
  oauth({
    authorizationEndpoint: `${ORIGIN}/authorize`,
    tokenEndpoint: `${ORIGIN}/token`,
    revocationEndpoint: `${ORIGIN}/revoke`,
    clientId: 'plug-in',
    scopes: ['read', 'write'],
    apiBaseUrl: 'https://api.example/v1',
    ...more,
  });

type Script = (form: URLSearchParams) => FakeAnswer | Promise<FakeAnswer>;

/** What every secret issued by any fake server of a test run begins with. */
export const SECRET = 'sEcReT';

/**
 * An authorization server with strict rotation: a refresh token is good once. What it issues is unlike
 * anything else, so that a leak can be searched for.
 */
export function createFakeServer({ lifetimeS = 3600 }: { lifetimeS?: number | null } = {}) {
  const requests: { path: string; form: URLSearchParams; request: HttpRequest }[] = [];
  const scripted: Script[] = [];
  const good = new Set<string>();
  const revoked: string[] = [];
  let serial = 0;

  const issue = (): FakeAnswer => {
    serial += 1;
    const nonce = randomBytes(12).toString('hex');
    const refreshToken = `${SECRET}-refresh-${serial}-${nonce}`;
    good.add(refreshToken);
    return {
      json: {
        access_token: `${SECRET}-access-${serial}-${nonce}`,
        refresh_token: refreshToken,
        token_type: 'Bearer',
        ...(lifetimeS !== null && { expires_in: lifetimeS }),
      },
    };
  };

  const usual: Script = (form) => {
    const token = form.get('refresh_token');
    if (token !== null && !good.delete(token))
      return { status: 400, json: { error: 'invalid_grant' } };
    return issue();
  };

  async function http(request: HttpRequest): Promise<HttpResponse> {
    const { pathname } = new URL(request.url);
    const form = new URLSearchParams(typeof request.body === 'string' ? request.body : '');
    requests.push({ path: pathname, form, request });
    if (pathname.endsWith('/token')) return toResponse(await (scripted.shift() ?? usual)(form));
    if (pathname === '/revoke') {
      revoked.push(form.get('token') ?? '');
      return toResponse({});
    }
    return toResponse({ json: { path: pathname } });
  }

  return {
    http,
    requests,
    revoked,
    issue,
    /** Forms sent to the token endpoint so far. */
    tokenRequests: () => requests.filter(({ path }) => path === '/token').map(({ form }) => form),
    /** Answers the next token request in another way than usual. A script may throw: no answer at all. */
    next: (...scripts: Script[]) => void scripted.push(...scripts),
    usual,
    /** Makes every refresh token issued so far worthless. */
    revokeAll: () => good.clear(),
  };
}
