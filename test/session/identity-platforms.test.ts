import type { PlatformApi, Provider } from '../../src/oauth/provider.js';
import type { HttpRequest, KeyValueStore } from '../../src/ports/index.js';
import { aps } from '../../src/providers/aps.js';
import { oauth } from '../../src/providers/oauth.js';
import { opencde } from '../../src/providers/opencde.js';
import { prevu3d } from '../../src/providers/prevu3d.js';
import { speckle } from '../../src/providers/speckle.js';
import { createSession } from '../../src/session/create-session.js';
import { settle } from '../support/fake-clock.js';
import { createFakeHost, toResponse } from '../support/fake-host.js';
import { promptCrypto, RENEW } from './support.js';

interface Platform {
  readonly provider: Provider<PlatformApi>;
  readonly ask: (api: never) => Promise<unknown>;
  /** What the platform says of a user, by the end of an address. */
  readonly says: (who: string) => Readonly<Record<string, object>>;
}
const call = (name: string) => (api: never) => (api as Record<string, () => Promise<unknown>>)[name]!(); // prettier-ignore
const VERSIONS = [
  { api_id: 'foundation', version_id: '1.1', api_base_url: 'https://cde.example/foundation/1.1' },
];
const CLIENT = { clientId: 'plug-in', scopes: ['read'] };
const redirectUris = ['http://127.0.0.1:4000/callback', 'http://127.0.0.1:4001/callback'];
// prettier-ignore
const PLATFORMS: readonly [name: string, platform: Platform][] = [
  ['prevu3d, another user', {
    provider: prevu3d(CLIENT), ask: call('getApiInfo'),
    says: (who) => ({ '/api-info': { organization: { id: 'o' }, apiUrl: 'https://api-ue1.prevu3d.com/x', user: { id: who } } }) }],
  ['prevu3d, another e-mail', {
    provider: prevu3d(CLIENT), ask: call('getApiInfo'),
    says: (who) => ({ '/api-info': { organization: { id: 'o' }, apiUrl: 'https://api-ue1.prevu3d.com/x', user: { email: who } } }) }],
  ['prevu3d, another organization', {
    provider: prevu3d(CLIENT), ask: call('getApiInfo'),
    says: (who) => ({ '/api-info': { organization: { id: who }, apiUrl: 'https://api-ue1.prevu3d.com/x', user: { id: 'u' } } }) }],
  ['prevu3d, asked by itself for a request', {
    provider: prevu3d(CLIENT), ask: (api) => (api as PlatformApi).request({ path: 'x' }),
    says: (who) => ({ '/api-info': { organization: { id: who }, apiUrl: 'https://api-ue1.prevu3d.com/x' }, '/x': {} }) }],
  ['aps', { provider: aps({ ...CLIENT, redirectUris }), ask: call('userInfo'), says: (sub) => ({ userinfo: { sub } }) }],
  ['oauth', {
    provider: oauth({ ...CLIENT, issuer: 'https://server.example' }), ask: call('userInfo'),
    says: (sub) => ({ userinfo: { sub },
      '/openid-configuration': { issuer: 'https://server.example', authorization_endpoint: 'https://server.example/a',
                                 token_endpoint: 'https://server.example/token', userinfo_endpoint: 'https://server.example/userinfo',
                                 code_challenge_methods_supported: ['S256'] } }) }],
  ['speckle', {
    provider: speckle({ appId: 'plug-in', appSecret: 'secret', redirectUri: redirectUris[0] ?? '' }), ask: call('activeUser'),
    says: (id) => ({ '/graphql': { data: { activeUser: { id, name: 'x' } } } }) }],
  ['opencde', {
    provider: opencde({ serverUrl: 'https://cde.example', clientId: 'plug-in', clientSecret: 'secret', redirectUris }), ask: call('currentUser'),
    says: (id) => ({ '/current-user': { id, name: 'x' }, '/versions': { versions: VERSIONS },
      '/auth': { oauth2_auth_url: 'https://cde.example/a', oauth2_token_url: 'https://cde.example/token', supported_oauth2_flows: ['authorization_code_grant'] } }) }],
];

describe('case 140: a platform that names somebody else', () => {
  test.each(PLATFORMS)('%s: flagged, once', async (_, { provider, ask, says }) => {
    let who = 'the-first';
    let serial = 0;
    const http = async ({ url, method }: HttpRequest) => {
      const { pathname } = new URL(url);
      const said = Object.entries(says(who)).find(([end]) => pathname.endsWith(end));
      if (said && !(method === 'POST' && /token/.test(pathname)))
        return toResponse({ json: said[1] });
      serial += 1;
      const [access, refresh] = [`access-${serial}`, `refresh-${serial}`];
      // Each reads the names it knows.
      if (provider.id === 'speckle')
        return toResponse({ json: { token: access, refreshToken: refresh } });
      return toResponse({ json: { access_token: access, refresh_token: refresh, token_type: 'Bearer', expires_in: 3600 } }); // prettier-ignore
    };
    const values = new Map<string, string>();
    const store: KeyValueStore = {
      get: async (key) => values.get(key) ?? null,
      set: async (key, value) => void values.set(key, value),
      remove: async (key) => void values.delete(key),
    };
    const host = { ...createFakeHost({ http, store }), crypto: promptCrypto };
    const session = createSession({ host, provider });
    const events: string[] = [];
    session.onChange(({ event }) => void events.push(event));
    const done = session.signIn();
    const visit = await host.visit();
    const isStateless = provider.dialect.state === 'not repeated';
    await (isStateless
      ? visit.redirectTo(`${visit.redirectUri}?access_code=code`)
      : visit.redirect({ code: 'code', iss: 'https://server.example' }));
    await done;
    const api = session.api as never;
    await ask(api);
    await settle();
    expect([...values.values()].join()).toMatch(/"identity":"[\w-]{22}"/);
    expect([...values.values()].join()).not.toContain('the-first');
    await session.getAccessToken(RENEW).catch(() => {});
    await ask(api);
    await settle();
    expect(session.state).not.toHaveProperty('userChanged');
    who = 'somebody-else';
    await session.getAccessToken(RENEW).catch(() => {});
    await ask(api);
    await ask(api);
    await settle();
    expect(events.filter((event) => event === 'userChanged')).toHaveLength(1);
    expect(session.state).toMatchObject({ name: 'signedIn', userChanged: true });
  });
});
