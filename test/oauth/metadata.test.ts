import fc from 'fast-check';
import { isMortiseError } from '../../src/errors.js';
import { discoverMetadata, readMetadata } from '../../src/oauth/metadata.js';
import { ours } from './some-provider.js';

const ISSUER = 'https://as.example';
const good = {
  issuer: ISSUER,
  authorization_endpoint: 'https://as.example/authorize',
  token_endpoint: 'https://as.example/token',
};
const usable = {
  issuer: ISSUER,
  authorizationEndpoint: 'https://as.example/authorize',
  tokenEndpoint: 'https://as.example/token',
  revocationEndpoint: undefined,
  userinfoEndpoint: undefined,
  iss: 'optional',
  clientAuthentication: 'basic',
};
const read = (changes: object, endpointHosts: readonly string[] = []) =>
  readMetadata(ISSUER, { ...good, ...changes }, endpointHosts);

/** Answers each place with a status, or with JSON. */
function places(answers: Readonly<Record<string, unknown>>) {
  const asked: string[] = [];
  const readDocument = async (url: string) => {
    asked.push(url);
    const answer = answers[url] ?? 404;
    return typeof answer === 'number'
      ? { status: answer, text: '', json: undefined }
      : { status: 200, text: '', json: answer };
  };
  return { asked, readDocument };
}

describe('where a server is asked to describe itself', () => {
  // prettier-ignore
  test.each<[issuer: string, openid: string, rfc8414: string]>([
    ['https://as.example',           'https://as.example/.well-known/openid-configuration',           'https://as.example/.well-known/oauth-authorization-server'],
    ['https://as.example/',          'https://as.example/.well-known/openid-configuration',           'https://as.example/.well-known/oauth-authorization-server'],
    ['https://as.example/tenant',    'https://as.example/tenant/.well-known/openid-configuration',    'https://as.example/.well-known/oauth-authorization-server/tenant'],
    ['https://as.example/a/b/',      'https://as.example/a/b/.well-known/openid-configuration',       'https://as.example/.well-known/oauth-authorization-server/a/b'],
    ['https://as.example:8443/t',    'https://as.example:8443/t/.well-known/openid-configuration',    'https://as.example:8443/.well-known/oauth-authorization-server/t'],
    ['http://127.0.0.1:3000',        'http://127.0.0.1:3000/.well-known/openid-configuration',        'http://127.0.0.1:3000/.well-known/oauth-authorization-server'],
  ])('%s: OpenID Connect appends, then RFC 8414 inserts', async (issuer, openid, rfc8414) => {
    const { asked, readDocument } = places({});
    await expect(discoverMetadata(issuer, readDocument)).rejects.toThrow(
      ours('discovery_failed', { retryable: false, details: expect.objectContaining({ status: 404 }) }),
    );
    expect(asked).toEqual([openid, rfc8414]);
  });

  test('the first place that answers is enough', async () => {
    const first = `${ISSUER}/.well-known/openid-configuration`;
    const { asked, readDocument } = places({ [first]: good });
    expect(await discoverMetadata(ISSUER, readDocument)).toEqual(usable);
    expect(asked).toEqual([first]);
  });

  test('case 170: the second is asked after a 404', async () => {
    const { asked, readDocument } = places({
      [`${ISSUER}/.well-known/oauth-authorization-server`]: good,
    });
    expect(await discoverMetadata(ISSUER, readDocument)).toEqual(usable);
    expect(asked).toHaveLength(2);
  });

  // prettier-ignore
  test.each<[name: string, answer: unknown, retryable: boolean]>([
    ['204',                  204,                              false],
    ['301',                  301,                              false],
    ['302',                  302,                              false],
    ['400',                  400,                              false],
    ['401',                  401,                              false],
    ['403',                  403,                              false],
    ['429',                  429,                              true],
    ['500',                  500,                              true],
    ['503',                  503,                              true],
    ['another issuer',       { ...good, issuer: 'https://b.example' }, false],
    ['HTML',                 '<html>',                         false],
  ])('case 170: and after nothing else, such as %s', async (_, answer, retryable) => {
    const { asked, readDocument } = places({
      [`${ISSUER}/.well-known/openid-configuration`]: answer,
      [`${ISSUER}/.well-known/oauth-authorization-server`]: good,
    });
    await expect(discoverMetadata(ISSUER, readDocument)).rejects.toThrow(
      ours('discovery_failed', { retryable }),
    );
    expect(asked).toHaveLength(1);
  });

  test('case 170: a place that cannot be reached says so itself', async () => {
    const failure = new Error('as it comes');
    await expect(discoverMetadata(ISSUER, () => Promise.reject(failure))).rejects.toBe(failure);
  });

  test('hosts that were named reach the check', async () => {
    const answer = { ...good, token_endpoint: 'https://token.example/' };
    const { readDocument } = places({ [`${ISSUER}/.well-known/openid-configuration`]: answer });
    await expect(discoverMetadata(ISSUER, readDocument)).rejects.toThrow(ours('discovery_failed'));
    expect(await discoverMetadata(ISSUER, readDocument, ['token.example'])).toMatchObject({
      tokenEndpoint: 'https://token.example/',
    });
  });
});

describe('case 168: the issuer is the one asked for, character by character', () => {
  // prettier-ignore
  test.each<[name: string, issuer: unknown]>([
    ['another',                 'https://b.example'],
    ['with a slash',            'https://as.example/'],
    ['with a path',             'https://as.example/x'],
    ['with a query',            'https://as.example?x=1'],
    ['with a fragment',         'https://as.example#x'],
    ['http',                    'http://as.example'],
    ['in upper case',           'https://AS.example'],
    ['with the default port',   'https://as.example:443'],
    ['absent',                  undefined],
    ['null',                    null],
    ['empty',                   ''],
    ['a number',                42],
    ['in an array',             [ISSUER]],
  ])('%s: refused', (_, issuer) => {
    expect(() => read({ issuer })).toThrow(ours('discovery_failed'));
  });

  test.each([`${ISSUER}?tenant=1`, `${ISSUER}/#tenant`])(
    'RFC 8414 section 2: %s is no issuer, though the server says the same',
    async (issuer) => {
      const readDocument = async () => ({ status: 200, text: '', json: { ...good, issuer } });
      await expect(discoverMetadata(issuer, readDocument)).rejects.toMatchObject({
        name: 'MortiseError',
      });
    },
  );

  // prettier-ignore
  test.each<[name: string, json: unknown]>([
    ['nothing',    undefined],
    ['null',       null],
    ['text',       '<html>'],
    ['a number',   42],
    ['an array',   [good]],
    ['empty',      {}],
  ])('%s is no metadata', (_, json) => {
    expect(() => readMetadata(ISSUER, json, [])).toThrow(ours('discovery_failed'));
  });
});

describe('case 169: endpoints', () => {
  // prettier-ignore
  const FOREIGN: ReadonlyArray<[name: string, url: unknown]> = [
    ['on another host',           'https://evil.example/'],
    ['on a host below',           'https://token.as.example/'],
    ['on a host that ends so',    'https://evilas.example/'],
    ['on a host that begins so',  'https://as.example.evil.example/'],
    ['behind a user name',        'https://as.example@evil.example/'],
    ['with a user name',          'https://user@as.example/'],
    ['on another port',           'https://as.example:8443/'],
    ['on http',                   'http://as.example/token'],
    ['on loopback',               'http://127.0.0.1:8080/'],
    ['on an internal address',    'https://169.254.169.254/latest/meta-data'],
    ['at no address',             'token'],
    ['with a fragment',           'https://as.example/token#x'],
    ['that run code',             'javascript:alert(1)'],
    ['that are files',            'file:///etc/passwd'],
    ['that are data',             'data:text/html,x'],
    ['that are empty',            ''],
    ['that are numbers',          42],
    ['that are arrays',           ['https://as.example/token']],
    ['that are objects',          { toString: 1 }],
  ];
  const NAMES = [
    'authorization_endpoint',
    'token_endpoint',
    'revocation_endpoint',
    'userinfo_endpoint',
  ];

  test.each(FOREIGN)('%s are refused', (_, url) => {
    for (const name of NAMES) {
      expect(() => read({ [name]: url })).toThrow(
        ours('discovery_failed', {
          details: { issuer: ISSUER, problem: expect.stringContaining(name) },
        }),
      );
    }
  });

  // prettier-ignore
  test.each<[name: string, url: string, hosts: readonly string[]]>([
    ['on a host that was named',        'https://token.example/t',       ['token.example']],
    ['in another case',                 'https://token.example/t',       ['Token.Example']],
    ['on a port that was named',        'https://token.example:8443/t',  ['token.example:8443']],
    ['on loopback that was named',      'http://127.0.0.1:8080/t',       ['127.0.0.1:8080']],
  ])('%s they are taken', (_, url, hosts) => {
    expect(read({ token_endpoint: url }, hosts)).toMatchObject({ tokenEndpoint: url });
  });

  // prettier-ignore
  test.each<[name: string, url: string, hosts: readonly string[]]>([
    ['below a host that was named',     'https://x.token.example/t',     ['token.example']],
    ['on another port of it',           'https://token.example:8443/t',  ['token.example']],
    ['on http of it',                   'http://token.example/t',        ['token.example']],
  ])('%s they are not', (_, token_endpoint, hosts) => {
    expect(() => read({ token_endpoint }, hosts)).toThrow(ours('discovery_failed'));
  });

  test.each(['authorization_endpoint', 'token_endpoint'])('%s must be there', (name) => {
    for (const nothing of [undefined, null]) {
      expect(() => read({ [name]: nothing })).toThrow(ours('discovery_failed'));
    }
  });

  test.each(['revocation_endpoint', 'userinfo_endpoint'])('%s may be missing, or null', (name) => {
    for (const nothing of [undefined, null]) expect(read({ [name]: nothing })).toEqual(usable);
  });

  test('those there are, are told', () => {
    const more = { revocation_endpoint: `${ISSUER}/revoke`, userinfo_endpoint: `${ISSUER}/me` };
    expect(read(more)).toMatchObject({
      revocationEndpoint: `${ISSUER}/revoke`,
      userinfoEndpoint: `${ISSUER}/me`,
    });
  });
});

describe('what the server can do', () => {
  // prettier-ignore
  test.each<[name: string, methods: unknown]>([
    ['S256',          ['S256']],
    ['both',          ['plain', 'S256']],
    ['not said',      undefined],
  ])('case 3: PKCE methods %s', (_, code_challenge_methods_supported) => {
    expect(read({ code_challenge_methods_supported })).toEqual(usable);
  });

  // prettier-ignore
  test.each<[name: string, methods: unknown]>([
    ['only plain',      ['plain']],
    ['none',            []],
    ['s256',            ['s256']],
    ['not text',        [{ S256: true }]],
  ])('case 3: PKCE methods %s: refused', (_, code_challenge_methods_supported) => {
    expect(() => read({ code_challenge_methods_supported })).toThrow(ours('discovery_failed'));
  });

  // prettier-ignore
  test.each<[said: unknown, iss: string]>([
    [true,       'required'],
    [false,      'optional'],
    [undefined,  'optional'],
    [null,       'optional'],
    ['true',     'optional'],
    [1,          'optional'],
  ])('case 31: an iss parameter promised with %s is %s', (said, iss) => {
    expect(read({ authorization_response_iss_parameter_supported: said })).toMatchObject({ iss });
  });

  // prettier-ignore
  test.each<[methods: unknown, clientAuthentication: string]>([
    [['client_secret_post'],                         'post'],
    [['private_key_jwt', 'client_secret_post'],      'post'],
    [['client_secret_post', 'client_secret_basic'],  'basic'],
    [['client_secret_basic'],                        'basic'],
    [['none'],                                       'basic'],
    [[],                                             'basic'],
    [undefined,                                      'basic'],
    ['client_secret_post',                           'basic'],
  ])('client authentication %j is %s', (methods, clientAuthentication) => {
    expect(read({ token_endpoint_auth_methods_supported: methods })).toMatchObject({
      clientAuthentication,
    });
  });
});

test('whatever the metadata is: endpoints on the issuer’s host, or one of our errors', () => {
  const name = fc.constantFrom(
    ...Object.keys(good),
    'revocation_endpoint',
    'userinfo_endpoint',
    'code_challenge_methods_supported',
    '__proto__',
  );
  const value = fc.oneof(fc.webUrl(), fc.constantFrom(`${ISSUER}/x`, ISSUER), fc.jsonValue());
  fc.assert(
    fc.property(fc.array(fc.tuple(name, value), { maxLength: 3 }), (changes) => {
      try {
        const metadata = read(Object.fromEntries(changes));
        for (const endpoint of [metadata.authorizationEndpoint, metadata.tokenEndpoint]) {
          expect(new URL(endpoint).origin).toBe(ISSUER);
        }
      } catch (error) {
        expect([isMortiseError(error), error]).toEqual([true, error]);
      }
    }),
    { numRuns: 500 },
  );
});
