// What a session asks of the authorization server and of the host's user agents, part by part. Each row was once a
// line that could be changed without a test noticing (npm run mutate).
import { createInFlight } from '../../src/http/guard.js';
import type { ServerMetadata } from '../../src/oauth/provider.js';
import type { HttpRequest, UserAgent } from '../../src/ports/index.js';
import { createSession } from '../../src/session/create-session.js';
import { createTokenEndpoint } from '../../src/session/token-endpoint.js';
import { createVisits } from '../../src/session/visit.js';
import { standard } from '../oauth/some-provider.js';
import { createFakeClock, settle } from '../support/fake-clock.js';
import { createFakeHost, deferred, toResponse, type FakeAnswer } from '../support/fake-host.js';
import { createFakeServer, fakeProvider } from '../support/fake-server.js';
import { failing, promptCrypto } from './support.js';

describe('a token request', () => {
  const NOW_MS = 1_700_000_000_000;
  const tokens = { access_token: 'access-token-of-answer', token_type: 'Bearer' };
  const ask = (answer: FakeAnswer, metadata: Partial<ServerMetadata> = {}) => {
    const requests: HttpRequest[] = [];
    const http = async (request: HttpRequest) => {
      requests.push(request);
      return toResponse(answer);
    };
    const provider = standard({
      clientSecret: () => 'client-secret-of-this-test',
      hints: (code, step, status) => `${code} at ${step}: ${status}`,
    });
    const known = { ...(provider.metadata as ServerMetadata), ...metadata };
    const endpoint = createTokenEndpoint(
      { http, clock: createFakeClock(NOW_MS), crypto: promptCrypto },
      { ...provider, metadata: known },
      createInFlight(),
    );
    return { endpoint, requests };
  };

  // prettier-ignore
  test.each(['code', 'code_verifier', 'refresh_token', 'device_code'])(
    'case 108: the client’s secret and the %s are cut out of what the server says', async (name) => {
      const error_description = 'You sent "client-secret-of-this-test" and "a.secret.field"';
      const { endpoint } = ask({ status: 400, json: { error: 'invalid_scope', error_description } });
      const done = endpoint.request('exchange', { [name]: 'a.secret.field' });
      const errorDescription = 'You sent "…" and "…"';
      await expect(done).rejects.toMatchObject({
        details: { status: 400, error: 'invalid_scope', errorDescription },
        hint: 'oauth_error at exchange: 400',
      });
    },
  );

  // prettier-ignore
  test.each<[date: string | undefined, aheadMs: number | null]>([
    [new Date(NOW_MS + 5_000).toUTCString(),  5_000],
    [new Date(NOW_MS - 5_000).toUTCString(), -5_000],
    ['Thu, 01 Jan 1970 00:00:00 GMT',          null],
    ['soon',                                   null],
    [undefined,                                null],
  ])('tells how far the server’s clock is ahead: %s', async (date, aheadMs) => {
    const { endpoint } = ask({ json: tokens, headers: date === undefined ? {} : { date } });
    expect(endpoint.serverClockAheadMs).toBeNull();
    await endpoint.request('exchange', {});
    expect(endpoint.serverClockAheadMs).toBe(aheadMs);
  });

  // prettier-ignore
  test.each<[name: string, metadata: Partial<ServerMetadata>, refreshToken: string | null, hints: string[]]>([
    ['both, the refresh token first',  { revocationEndpoint: 'https://as.example/revoke' }, 'refresh-token-to-end', ['refresh_token', 'access_token']],
    ['the one there is',               { revocationEndpoint: 'https://as.example/revoke' }, null,                   ['access_token']],
    ['none, where nobody takes them',  { revocationEndpoint: undefined },                   'refresh-token-to-end', []],
  ])('revokes %s', async (_, metadata, refreshToken, hints) => {
    const { endpoint, requests } = ask({}, metadata);
    await endpoint.revoke({ accessToken: 'access-token-to-end', refreshToken });
    const sent = requests.map(({ body }) => new URLSearchParams(String(body)).get('token_type_hint'));
    expect(sent).toEqual(hints);
  });

  test('for a device is refused where the server gives no codes', async () => {
    const { endpoint } = ask({}, { deviceAuthorizationEndpoint: undefined });
    const problem = 'the server gives no codes for other devices';
    await expect(endpoint.authorizeDevice(new AbortController().signal)).rejects.toEqual(
      failing('configuration_error', { problem }),
    );
  });

  test('for a device names the scopes, and gives the answer as it came', async () => {
    const metadata = { deviceAuthorizationEndpoint: 'https://as.example/device' };
    const { endpoint, requests } = ask({ json: { device_code: 'code-of-device' } }, metadata);
    expect(await endpoint.authorizeDevice(new AbortController().signal)).toEqual({
      device_code: 'code-of-device',
    });
    const [request] = requests;
    expect(request?.url).toBe('https://as.example/device');
    expect(new URLSearchParams(String(request?.body)).get('scope')).toBe('openid data:read');
  });
});

describe('the visits of one sign-in', () => {
  const visit = (events: string[], name: string) => ({
    redirectUri: '',
    navigate: async () => {},
    close: async () => void events.push(`${name} closed`),
  });
  const opening = (open: () => Promise<unknown>) => ({ open }) as unknown as UserAgent;
  const start = () => {
    const events: string[] = [];
    return { events, visits: createVisits({} as never, () => void events.push('aborted')) };
  };

  test('case 46: what is open is closed, and nothing is aborted', async () => {
    const { events, visits } = start();
    await visits.open(opening(async () => visit(events, 'window')));
    await visits.close();
    expect(new Set(events)).toEqual(new Set(['window closed']));
  });

  test('case 46: what is still opening is aborted, and closed should it open all the same', async () => {
    const { events, visits } = start();
    const late = deferred<unknown>();
    void visits.open(opening(() => late.promise));
    const closing = visits.close();
    await settle();
    expect(events).toEqual(['aborted']);
    late.resolve(visit(events, 'window'));
    await closing;
    expect(events).toEqual(['aborted', 'window closed']);
  });

  test('what could not open is neither aborted nor closed', async () => {
    const { events, visits } = start();
    const failed = visits.open(opening(async () => Promise.reject(new Error('no browser'))));
    await expect(failed).rejects.toThrow('no browser');
    await visits.close();
    expect(events).toEqual([]);
  });

  test('the next closes the one before; one on another device has nothing to close', async () => {
    const { events, visits } = start();
    await visits.open(opening(async () => visit(events, 'window')));
    await visits.open(opening(async () => ({ code: {}, answer: async () => ({}) })));
    await settle();
    expect(events).toEqual(['window closed']);
    await expect(visits.close()).resolves.toBeUndefined();
    expect(events).toEqual(['window closed']);
  });
});

describe('a sign-in', () => {
  test('that is over leaves nothing at the signal that could have ended it', async () => {
    const host = createFakeHost({ http: createFakeServer().http });
    const session = createSession({ host, provider: fakeProvider() });
    const listeners = new Set<unknown>();
    const signal = {
      aborted: false,
      addEventListener: (_type: 'abort', listener: unknown) => void listeners.add(listener),
      removeEventListener: (type: string, listener: unknown) =>
        void (type === 'abort' && listeners.delete(listener)),
    } as unknown as AbortSignal;
    const done = session.signIn({ signal });
    await (await host.visit()).redirect({ code: 'code-of-this-sign-in' });
    expect(listeners.size).toBeGreaterThan(0);
    await done;
    await settle();
    expect(listeners.size).toBe(0);
    await session.close();
  });

  test('of a service ends when its time is over, and no timer is left after one that did not', async () => {
    const server = createFakeServer();
    const host = createFakeHost({ http: server.http });
    const provider = { ...fakeProvider(), grant: 'client_credentials' as const };
    const session = createSession({ host, provider });
    await session.signIn({ timeoutMs: 1_000 });
    await settle();
    expect(host.clock.pending).toBe(0);
    const other = createSession({ host, provider, account: 'other' });
    server.next(() => new Promise(() => {}));
    const done = other.signIn({ timeoutMs: 1_000 });
    const outcome = expect(done).rejects.toEqual(failing('sign_in_timeout', { timeoutMs: 1_000 }));
    await host.clock.advance(1_000);
    await outcome;
    const closed = Promise.all([session.close(), other.close()]);
    await host.clock.advance(60_000);
    await closed;
  });

  test('cannot be completed in a session that is closed', async () => {
    const host = createFakeHost({ http: createFakeServer().http });
    const session = createSession({ host, provider: fakeProvider() });
    await session.close();
    await expect(session.completeSignIn('code-to-paste')).rejects.toEqual(failing('aborted', {}));
  });
});
