import { baseOf } from '../../src/providers/opencde/discovery.js';
import fc from 'fast-check';
import { memoryStore, type KeyValueStore } from 'mortise';
import { opencde } from 'mortise/providers/opencde';
import { failureOf } from '../api/support/failure.js';
import type { FakeAnswer } from '../support/fake-host.js';
import { closeAll, FOREIGN, open, PUBLIC, SERVER } from './support/opencde.js';

afterEach(closeAll);

const versions = (...list: readonly unknown[]): FakeAnswer => ({ json: { versions: list } });
const pathsOf = (news: readonly string[]) => news.map((each) => new URL(each.slice(4)).pathname);
const rootOf = (serverUrl: string) => opencde({ ...PUBLIC, serverUrl }).server;

describe('the server’s address', () => {
  // prettier-ignore
  test.each([
    ['as it is',                        'https://cde.example',                     'https://cde.example'],
    ['without a scheme',                'cde.example',                             'https://cde.example'],
    ['in capitals',                     'HTTPS://CDE.Example',                     'https://cde.example'],
    ['with blanks around it',           '  https://cde.example \n',                'https://cde.example'],
    ['with the default port',           'https://cde.example:443',                 'https://cde.example'],
    ['with another port',               'cde.example:8443',                        'https://cde.example:8443'],
    ['with a slash',                    'https://cde.example/',                    'https://cde.example'],
    ['with a path',                     'https://cde.example/opencde',             'https://cde.example/opencde'],
    ['with a path and slashes',         'https://cde.example/opencde//',           'https://cde.example/opencde'],
    ['with a path in capitals',         'https://cde.example/OpenCDE',             'https://cde.example/OpenCDE'],
    ['with a way up',                   'https://cde.example/a/../b',              'https://cde.example/b'],
    ['with a query',                    'https://cde.example/a?b=c',               'https://cde.example/a'],
    ['with another server in it',       'https://cde.example?https://evil.example', 'https://cde.example'],
    ['with a fragment',                 'https://cde.example/a#b',                 'https://cde.example/a'],
    ['with letters beyond ASCII',       'https://bücher.example',                  'https://xn--bcher-kva.example'],
    ['on this machine',                 'http://localhost:8080/a',                 'http://localhost:8080/a'],
    ['on this machine by its number',   'http://127.0.0.1:8080',                   'http://127.0.0.1:8080'],
    ['that is its list of versions',    'https://cde.example/foundation/versions', 'https://cde.example'],
    ['that is how users sign in',       'https://cde.example/foundation/1.1/auth', 'https://cde.example'],
    ['that is the same of BCF 2.1',     'https://cde.example/a/bcf/2.1/auth',      'https://cde.example/a'],
    ['that is its Foundation API',      'https://cde.example/a/foundation/1.0/',   'https://cde.example/a'],
    ['that is the older list',          'https://cde.example/a/bcf/versions',      'https://cde.example/a'],
    ['that is its BCF API',             'https://cde.example/bcf/3.0',             'https://cde.example'],
    ['that ends in bcf',                'https://cde.example/bcf',                 'https://cde.example'],
    ['of a customer below bcf',         'https://cde.example/bcf/harbour',         'https://cde.example/bcf/harbour'],
    ['that only ends like bcf',         'https://cde.example/mybcf',               'https://cde.example/mybcf'],
  ])('case 171: %s', (_, serverUrl, root) => {
    expect(rootOf(serverUrl)).toBe(root);
  });

  // prettier-ignore
  test.each<[string, unknown]>([
    ['http to another machine',      'http://cde.example'],
    ['another scheme',               'ftp://cde.example'],
    ['a script',                     'javascript://cde.example/%0aalert(1)'],
    ['a user name',                  'https://me@cde.example'],
    ['a user name without a scheme', 'me@cde.example'],
    ['a password',                   'https://me:word@cde.example'],
    ['this server as a user name',   'https://cde.example@evil.example'],
    ['a port that is none',          'https://cde.example:80a'],
    ['blanks inside',                'https://cde example'],
    ['nothing',                      ''],
    ['blanks',                       '  '],
    ['a scheme alone',               'https://'],
    ['a number',                     5],
    ['null',                         null],
    ['a list',                       [SERVER]],
    ['an object',                    new URL(SERVER)],
  ])('case 171: with %s is a configuration_error', async (_, serverUrl) => {
    const make = async () => rootOf(serverUrl as string);
    expect((await failureOf(make())).code).toBe('configuration_error');
  });

  const capitals = (text: string) =>
    fc
      .array(fc.boolean(), { minLength: text.length, maxLength: text.length })
      .map((upper) => [...text].map((c, at) => (upper[at] ? c.toUpperCase() : c)).join(''));
  const spelled = {
    scheme: fc.oneof(fc.constant(''), capitals('https://'), capitals('http://')),
    user: fc.constantFrom('', '', '', 'me@', 'me:word@', 'cde.example@'),
    host: fc.oneof(capitals('cde.example'), capitals('localhost'), fc.constant('127.0.0.1')),
    port: fc.constantFrom('', ':443', ':80', ':8443'),
    path: fc.constantFrom('', '/', '/opencde', '/opencde/', '/Open/CDE', '/opencde/bcf/2.1', '/é'),
    rest: fc.constantFrom('', '?a=b', '#a', '?https://evil.example/#@evil.example'),
  };

  test('case 171: however it is spelled, it is one server, over https or on this machine, or none', async () => {
    await fc.assert(
      fc.property(fc.record(spelled), ({ scheme, user, host, port, path, rest }) => {
        const typed = scheme + user + host + port + path + rest;
        const protocol = scheme.toLowerCase() || 'https://';
        const isLocal = !/^cde/i.test(host);
        let root: string | undefined;
        try {
          root = rootOf(typed);
        } catch (error) {
          expect(error).toMatchObject({ name: 'MortiseError', code: 'configuration_error' });
        }
        if (user !== '' || (protocol === 'http://' && !isLocal))
          return expect(root).toBe(undefined);
        const usual = protocol === 'https://' ? ':443' : ':80';
        const origin = `${protocol}${host.toLowerCase()}${port === usual ? '' : port}`;
        const below = path.replace(/\/(bcf\/2\.1)?$/, '').replace('é', '%C3%A9');
        expect(root).toBe(origin + below);
      }),
      { numRuns: 500 },
    );
  });

  test('case 171: however it is spelled, the tokens are found again, and go to no other origin', async () => {
    const scheme = fc.oneof(fc.constant(''), capitals('https://'));
    const { path, rest } = spelled;
    const port = fc.constantFrom('', ':443');
    const record = { scheme, host: capitals('cde.example'), port, path, rest };
    const stores = new Map<string, KeyValueStore>();
    const tokens = new Map<string, string>();
    await fc.assert(
      fc.asyncProperty(fc.record(record), async (typed) => {
        const serverUrl = typed.scheme + typed.host + typed.port + typed.path + typed.rest;
        const root = rootOf(serverUrl);
        const store = stores.get(root) ?? memoryStore();
        stores.set(root, store);
        const { session, api, signIn } = open({
          options: { serverUrl },
          store,
          confirmed: [SERVER],
          answers: documentsOf(new URL(root).pathname.replace(/\/$/, '')),
        });
        const known = tokens.get(root);
        if (known === undefined) await signIn();
        const token = await session.getAccessToken();
        if (known !== undefined) expect(token).toBe(known);
        tokens.set(root, token);
        expect(await api.currentUser()).toEqual({ id: 'u1' });
        await closeAll();
      }),
      { numRuns: 60 },
    );
  });

  test('case 171: two servers on one machine do not find each other’s tokens', async () => {
    const store = memoryStore();
    await open({ store }).signIn();
    const other = open({ store, options: { serverUrl: `${SERVER}/opencde` } });
    expect((await failureOf(other.session.getAccessToken())).code).toBe('sign_in_required');
    await other.signIn();
    expect(await other.api.projects()).toHaveLength(3);
  });
});

/** What a server below a path answers, where the sandbox has none. */
function documentsOf(path: string): Record<string, FakeAnswer> {
  const oauth = {
    oauth2_auth_url: `${SERVER}/oauth2/authorize`,
    oauth2_token_url: `${SERVER}/oauth2/token`,
  };
  return {
    [`${path}/foundation/versions`]: versions({ api_id: 'foundation', version_id: '1.1' }),
    [`${path}/foundation/1.1/auth`]: { json: oauth },
    [`${path}/foundation/1.1/current-user`]: { json: { id: 'u1' } },
  };
}

describe('which APIs a server has', () => {
  test('is asked of the Foundation API, and of BCF 2.1 where there is none', async () => {
    const { signIn, news, api } = open({ faults: ['opencde-bcf-only'] });
    await signIn();
    await api.currentUser();
    await api.projects();
    expect(pathsOf(news().filter((each) => each.startsWith('GET ')))).toEqual([
      '/foundation/versions',
      '/bcf/versions',
      '/bcf/2.1/auth',
      '/foundation/versions',
      '/bcf/versions',
      '/bcf/2.1/current-user',
      '/foundation/versions',
      '/bcf/versions',
      '/bcf/2.1/projects',
    ]);
  });

  test('of a 2.1 server that has 3.0, too: topics there, users where the document has them', async () => {
    const { signIn, news, api } = open({ faults: ['opencde-bcf-only', 'opencde-bcf-lists-3'] });
    await signIn();
    await api.currentUser();
    await api.projects();
    const asked = pathsOf(news()).filter((path) => !path.endsWith('/versions'));
    expect(asked).toEqual([
      '/bcf/2.1/auth',
      expect.any(String),
      '/bcf/2.1/current-user',
      '/bcf/3.0/projects',
    ]);
  });

  // prettier-ignore
  test.each<[string, FakeAnswer]>([
    ['404',                  { status: 404, json: { message: 'Not Found' } }],
    ['404 and a page',       { status: 404, text: '<html>' }],
    ['401',                  { status: 401 }],
    ['403',                  { status: 403 }],
    ['405',                  { status: 405 }],
    ['404 and a good list',  { ...versions({ api_id: 'foundation', version_id: '1.1' }), status: 404 }],
    ['a redirect',           { status: 302, headers: { location: FOREIGN } }],
    ['a page',               { status: 200, text: '<html>' }],
    ['204 and nothing',      { status: 204 }],
    ['null',                 { json: null }],
    ['a bare list',          { json: [{ api_id: 'foundation', version_id: '1.1' }] }],
    ['no versions',          { json: {} }],
    ['versions of null',     { json: { versions: null } }],
    ['versions of text',     { json: { versions: '1.1' } }],
    ['none that is known',   versions({ api_id: 'foundation', version_id: '2.0' }, { api_id: 'x', version_id: '1.1' })],
    ['entries that are none', versions(null, 'foundation', 1, [], {}, { api_id: 'foundation' }, { api_id: 'foundation', version_id: 1.1 })],
  ])('case 170: %s at the first place means the second', async (_, answer) => {
    const { signIn, news } = open({ answers: { '/foundation/versions': answer } });
    await signIn();
    const asked = pathsOf(news()).slice(0, 3);
    expect(asked).toEqual(['/foundation/versions', '/bcf/versions', '/bcf/2.1/auth']);
  });

  test.each([500, 502, 503, 429])(
    'case 170: %i at the first place means later, and no second place',
    async (status) => {
      const { signIn, news, host } = open({ answers: { '/foundation/versions': { status } } });
      expect(await failureOf(signIn())).toMatchObject({
        code: 'discovery_failed',
        retryable: true,
        details: { issuer: SERVER, status },
      });
      expect(pathsOf(news())).toEqual(['/foundation/versions']);
      expect(host.shown).toEqual([]);
    },
  );

  test('a server that has neither is no server, and says so for good', async () => {
    const answers = {
      '/foundation/versions': { status: 200, text: '<html>' },
      '/bcf/versions': { status: 404 },
    };
    const { signIn, api, host } = open({ answers });
    const expected = {
      code: 'discovery_failed',
      retryable: false,
      details: { issuer: SERVER, problem: 'it lists no API', status: 404 },
    };
    expect(await failureOf(signIn())).toMatchObject(expected);
    expect(await failureOf(api.versions())).toMatchObject(expected);
    expect(host.shown).toEqual([]);
  });

  // prettier-ignore
  test.each<[string, readonly object[], string]>([
    ['the newest that is known',     [{ version_id: '2.1' }, { version_id: '3.0' }, { version_id: '4.0' }], '/bcf/3.0/projects'],
    ['2.1 alone',                    [{ version_id: '2.1' }],                                              '/bcf/2.1/projects'],
    ['the first of two',             [{ version_id: '3.0' }, { version_id: '3.0', api_base_url: FOREIGN }], '/bcf/3.0/projects'],
  ])('topics are at %s', async (_, list, path) => {
    const bcf = list.map((each) => ({ api_id: 'bcf', ...each }));
    const foundation = { api_id: 'foundation', version_id: '1.1' };
    const answers = { '/foundation/versions': versions(...bcf, foundation) };
    const { signIn, news, api } = open({ answers });
    await signIn();
    await api.projects();
    expect(pathsOf(news()).at(-1)).toBe(path);
  });

  // prettier-ignore
  test.each<[string, readonly object[], string]>([
    ['1.1 before 1.0',          [{ version_id: '1.0' }, { version_id: '1.1' }],           '/foundation/1.1/auth'],
    ['1.0 alone',               [{ version_id: '1.0' }, { version_id: '2.0' }],           '/foundation/1.0/auth'],
    ['1.1 by its longer name',  [{ api_id: 'opencde-foundation', version_id: '1.1' }],    '/foundation/1.1/auth'],
  ])('how users sign in is asked of %s', async (_, list, path) => {
    const named = list.map((each) => ({ api_id: 'foundation', ...each }));
    const { signIn, news } = open({ answers: { '/foundation/versions': versions(...named) } });
    await signIn();
    expect(pathsOf(news())).toEqual(['/foundation/versions', path, '/oauth2/token']);
  });

  test.each([{}, { api_id: null }, { api_id: 'bcf' }])(
    'in the older list an entry may leave its API out: %j',
    async (named) => {
      const answers = { '/bcf/versions': versions({ ...named, version_id: '2.1' }) };
      const { signIn, api } = open({ answers, faults: ['opencde-bcf-only'] });
      await signIn();
      expect(await api.projects()).toHaveLength(3);
    },
  );

  test('is asked again after a failure', async () => {
    const answers: Record<string, FakeAnswer> = { '/foundation/versions': { status: 503 } };
    const { signIn, session } = open({ answers });
    await failureOf(signIn());
    delete answers['/foundation/versions'];
    await signIn();
    expect(session.state.name).toBe('signedIn');
  });
});

describe('how users sign in', () => {
  const OAUTH = {
    oauth2_auth_url: `${SERVER}/oauth2/authorize`,
    oauth2_token_url: `${SERVER}/oauth2/token`,
  };
  const auth = (answer: FakeAnswer) => ({ '/foundation/1.1/auth': answer });

  // prettier-ignore
  test.each<[string, object]>([
    ['http_basic_supported "false"',  { http_basic_supported: 'false' }],
    ['http_basic_supported true',     { http_basic_supported: true }],
    ['two flows',                     { supported_oauth2_flows: ['implicit_grant', 'authorization_code_grant'] }],
    ['no flows',                      {}],
    ['registration',                  { oauth2_dynamic_client_reg_url: `${FOREIGN}/register` }],
    ['an empty fragment',             { oauth2_token_url: `${OAUTH.oauth2_token_url}#` }],
  ])('with %s is by the code', async (_, more) => {
    const { signIn, session } = open({ answers: auth({ json: { ...OAUTH, ...more } }) });
    await signIn();
    expect(session.state.name).toBe('signedIn');
  });

  const elsewhere = 'its oauth2_token_url is on another origin';
  const unsafe = 'its oauth2_token_url is not an https address';
  // prettier-ignore
  test.each<[string, FakeAnswer, object]>([
    ['404',                                   { status: 404 },                   { problem: 'it does not say how users sign in', status: 404 }],
    ['404 and a good answer',                 { status: 404, json: OAUTH },      { problem: 'it does not say how users sign in', status: 404 }],
    ['case 170: a page',                      { text: '<html>' },                { problem: 'it does not say how users sign in', status: 200 }],
    ['null',                                  { json: null },                    { problem: 'it offers no OAuth' }],
    ['passwords alone',                       { json: { http_basic_supported: true } },    { problem: 'it offers no OAuth, but user names and passwords' }],
    ['passwords alone, as text',              { json: { http_basic_supported: 'true' } },  { problem: 'it offers no OAuth, but user names and passwords' }],
    ['neither, and "false" as text',          { json: { http_basic_supported: 'false' } }, { problem: 'it offers no OAuth' }],
    ['case 169: a token endpoint elsewhere',  { json: { ...OAUTH, oauth2_token_url: `${FOREIGN}/t` } },                      { problem: elsewhere }],
    ['case 169: on another port',             { json: { ...OAUTH, oauth2_token_url: `${SERVER}:8443/t` } },                  { problem: elsewhere }],
    ['case 169: on an internal address',      { json: { ...OAUTH, oauth2_token_url: 'https://169.254.169.254/t' } },         { problem: elsewhere }],
    ['case 169: on this machine',             { json: { ...OAUTH, oauth2_token_url: 'http://127.0.0.1/t' } },                { problem: elsewhere }],
    ['case 169: a subdomain',                 { json: { ...OAUTH, oauth2_token_url: 'https://login.cde.example/t' } },       { problem: elsewhere }],
    ['case 97: http',                         { json: { ...OAUTH, oauth2_token_url: 'http://cde.example/t' } },              { problem: unsafe }],
    ['a user name',                           { json: { ...OAUTH, oauth2_token_url: 'https://me@cde.example/t' } },          { problem: unsafe }],
    ['a fragment',                            { json: { ...OAUTH, oauth2_token_url: `${SERVER}/t#a` } },                     { problem: unsafe }],
    ['another scheme',                        { json: { ...OAUTH, oauth2_token_url: 'javascript:alert(1)' } },               { problem: unsafe }],
    ['a path alone',                          { json: { ...OAUTH, oauth2_token_url: '/oauth2/token' } },                     { problem: unsafe }],
    ['a number',                              { json: { ...OAUTH, oauth2_token_url: 5 } },                                   { problem: 'it offers no OAuth' }],
  ])('with %s is discovery_failed, and nobody is sent anywhere', async (_, answer, details) => {
    const { signIn, host } = open({ answers: auth(answer) });
    const error = await failureOf(signIn());
    expect(error).toMatchObject({ code: 'discovery_failed', retryable: false, details });
    expect(host.shown).toEqual([]);
  });

  test('on another origin names it, for the user to confirm', async () => {
    const { signIn } = open({ faults: ['opencde-auth-foreign'] });
    expect((await failureOf(signIn())).hint).toContain(FOREIGN);
  });
});

describe('where an API is', () => {
  const placed = (api_base_url: unknown) => ({
    '/foundation/versions': versions(
      { api_id: 'foundation', version_id: '1.1' },
      { api_id: 'bcf', version_id: '3.0', api_base_url },
    ),
  });

  // prettier-ignore
  test.each<[string, string, unknown]>([
    ['152', 'http',                        'http://cde.example/bcf/3.0'],
    ['152', 'another scheme',              'ftp://cde.example/bcf/3.0'],
    ['152', 'a user name',                 'https://me@cde.example/bcf/3.0'],
    ['152', 'a port',                      'https://cde.example:8443/bcf/3.0'],
    ['153', 'a longer name',               'https://cde.example.evil.example/bcf/3.0'],
    ['153', 'a name that ends like it',    'https://evilcde.example/bcf/3.0'],
    ['153', 'a subdomain',                 'https://api.cde.example/bcf/3.0'],
    ['153', 'the name as a user name',     'https://cde.example@evil.example/bcf/3.0'],
    ['153', 'the name in the path',        'https://evil.example/cde.example/bcf/3.0'],
    ['153', 'a backslash',                 'https://evil.example\\@cde.example/bcf/3.0'],
    ['153', 'a letter that looks like it', 'https://cdе.example/bcf/3.0'],
    ['153', 'a dot at the end',            'https://cde.example./bcf/3.0'],
    ['153', 'this machine',                'http://localhost/bcf/3.0'],
    ['153', 'an internal address',         'https://169.254.169.254/bcf/3.0'],
    ['154', 'a query',                     'https://cde.example/bcf/3.0?a=b'],
    ['154', 'a fragment',                  'https://cde.example/bcf/3.0#a'],
    ['153', 'no scheme',                   'cde.example/bcf/3.0'],
    ['153', 'a path alone',                '/bcf/3.0'],
    ['153', 'two slashes',                 '//cde.example/bcf/3.0'],
    ['153', 'a number',                    5],
    ['153', 'an object',                   { href: 'https://cde.example/bcf/3.0' }],
  ])('case %s: with %s is refused, and sees no token', async (_, __, address) => {
    const { signIn, news, api } = open({ answers: placed(address) });
    await signIn();
    news();
    for (const list of [api.projects(), api.topics('a')]) {
      expect((await failureOf(list)).code).toBe('api_url_untrusted');
    }
    expect((await failureOf(api.bcf({ path: 'projects' }))).code).toBe('api_url_untrusted');
    expect(new Set(pathsOf(news()))).toEqual(new Set(['/foundation/versions']));
    expect(await api.currentUser()).toMatchObject({ name: 'John Doe' });
  });

  // prettier-ignore
  test.each<[string, unknown, string]>([
    ['null',                  null,                                      '/bcf/3.0/projects'],
    ['empty',                 '',                                        '/bcf/3.0/projects'],
    ['itself',                `${SERVER}/bcf/3.0`,                       '/bcf/3.0/projects'],
    ['in capitals',           'HTTPS://CDE.EXAMPLE:443/opencde/bcf/3.0', '/opencde/bcf/3.0/projects'],
    ['with slashes behind',   `${SERVER}/relocated/bcf/3.0//`,           '/relocated/bcf/3.0/projects'],
    ['with an empty query',   `${SERVER}/relocated/bcf/3.0?`,            '/relocated/bcf/3.0/projects'],
    ['with an empty fragment', `${SERVER}/relocated/bcf/3.0/#`,          '/relocated/bcf/3.0/projects'],
    ['with a way up',         `${SERVER}/a/../relocated/bcf/3.0`,        '/relocated/bcf/3.0/projects'],
  ])('case 154: %s is the server’s own', async (_, address, path) => {
    const { signIn, news, api } = open({ answers: placed(address) });
    await signIn();
    expect(await api.projects()).toHaveLength(3);
    expect(pathsOf(news()).at(-1)).toBe(path);
  });

  test.each(['?', '#', '/#', '//'])(
    'case 154: how users sign in is found below a place that ends in %s',
    async (end) => {
      const api_base_url = `${SERVER}/relocated/foundation/1.1${end}`;
      const foundation = { api_id: 'foundation', version_id: '1.1', api_base_url };
      const { signIn, news } = open({ answers: { '/foundation/versions': versions(foundation) } });
      await signIn();
      expect(pathsOf(news())).toContain('/relocated/foundation/1.1/auth');
    },
  );

  test('on another origin names it, for the user to confirm; where no origin would do, it does not', async () => {
    const hintOf = async (address: string) => {
      const { signIn, api } = open({ answers: placed(address) });
      await signIn();
      return (await failureOf(api.projects())).hint;
    };
    expect(await hintOf(`${FOREIGN}:8443/bcf/3.0`)).toContain(`${FOREIGN}:8443`);
    for (const address of ['http://cde.example/bcf/3.0', `${SERVER}/bcf/3.0?a`, '/bcf/3.0']) {
      expect(await hintOf(address)).not.toContain('trustedOrigins');
    }
  });

  test('cases 155 and 156: a server that moves sees no token of a session that was stored before', async () => {
    const store = memoryStore();
    await open({ store }).signIn();
    for (const fault of ['opencde-base-url-foreign', 'opencde-auth-foreign'] as const) {
      const { session, api, host, news, over } = open({ store, faults: [fault] });
      await session.restore();
      if (fault === 'opencde-base-url-foreign') {
        expect((await failureOf(api.projects())).code).toBe('api_url_untrusted');
      }
      await host.clock.advance(3_600_000);
      const { code } = await over(failureOf(session.getAccessToken()));
      expect(code).toMatch(/^(api_url_untrusted|discovery_failed)$/);
      expect(session.state.name).toBe('degraded');
      expect(news().filter((each) => each.startsWith('POST'))).toEqual([]);
    }
    const { session } = open({ store });
    await session.restore();
    expect(session.state.name).toBe('signedIn');
  });
});

test('case 170: an address made of slashes costs no more time than any other', async () => {
  const slow = `https://cde.example${'/'.repeat(200_000)}a`;
  const server = { root: 'https://cde.example', trustedOrigins: [] };
  const entry = { api_id: 'bcf', version_id: '3.0', api_base_url: slow };
  // The square of its length took minutes, during which nothing else could run.
  expect(baseOf(server, entry)).toBe(slow);
});
