import { readFileSync } from 'node:fs';
import { Console } from 'node:console';
import { Writable } from 'node:stream';
import { format, inspect } from 'node:util';
import { createContext, runInContext } from 'node:vm';
import { isMortiseError, MortiseError, type ErrorCode, type ErrorDetails } from '../src/errors.js';
import { exchange } from '../src/http/exchange.js';
import { createInFlight } from '../src/http/guard.js';
import { buildAuthorizationUrl } from '../src/oauth/authorization-request.js';
import { readAuthorizationCode } from '../src/oauth/authorization-response.js';
import { checkEndpoint } from '../src/oauth/endpoint.js';
import { discoverMetadata } from '../src/oauth/metadata.js';
import { readTokenResponse } from '../src/oauth/token-response.js';
import type { ByteStream, HttpTransport } from '../src/ports/index.js';
import { nativePrevu3d, standard } from './oauth/some-provider.js';
import { createFakeClock } from './support/fake-clock.js';

/** One example for each code; the compiler asks for the missing ones. */
const EXAMPLES: { readonly [C in ErrorCode]: ErrorDetails[C] } = {
  sign_in_required: { reason: 'never' },
  sign_in_cancelled: {},
  sign_in_timeout: { timeoutMs: 1 },
  access_denied: { error: 'access_denied' },
  redirect_port_in_use: { ports: [8765] },
  browser_not_opened: {},
  popup_blocked: {},
  issuer_mismatch: { expected: 'https://a.example', received: null },
  malformed_response: { problem: 'it is too long' },
  invalid_grant: { status: 400, error: 'invalid_grant' },
  invalid_client: { status: 401, error: 'invalid_client' },
  oauth_error: {},
  network_error: { host: 'a.example' },
  timeout: { host: 'a.example', timeoutMs: 1 },
  graphql_error: { codes: ['INTERNAL'], messages: ['The resolver failed.'] },
  rate_limited: { status: 429, retryAfterMs: null },
  http_error: { status: 500 },
  insufficient_scope: { status: 403, scope: null },
  forbidden: { status: 403 },
  api_url_untrusted: { host: 'evil.example' },
  store_unavailable: {},
  store_damaged: {},
  integration_unknown: { integration: 'x' },
  integration_not_assigned: { integration: 'x', plugin: 'y' },
  discovery_failed: { issuer: 'https://a.example', problem: 'no metadata was found' },
  configuration_error: { problem: 'clientId is missing' },
  bridge_unavailable: { problem: 'the panel is closed' },
  aborted: {},
};
const CODES = Object.keys(EXAMPLES) as ErrorCode[];
const make = (code: ErrorCode) => new MortiseError(code, EXAMPLES[code]);

/** What may work by itself next time, or when the user tries again. */
const RETRYABLE = [
  'sign_in_cancelled',
  'sign_in_timeout',
  'redirect_port_in_use',
  'browser_not_opened',
  'popup_blocked',
  'network_error',
  'timeout',
  'rate_limited',
  'store_unavailable',
  'aborted',
];

describe.each(CODES)('%s', (code) => {
  const error = make(code);

  test('says what it is, what to do, and whether to try again', () => {
    expect(error).toBeInstanceOf(Error);
    expect([error.name, error.code]).toEqual(['MortiseError', code]);
    expect(error.message).toMatch(/^[a-z]/);
    expect(error.message.startsWith(code.replaceAll('_', ' '))).toBe(true);
    expect(error.hint).toMatch(/^[A-Z].+\.$/);
    expect(error.retryable).toBe(RETRYABLE.includes(code));
    expect(error.details).toEqual(EXAMPLES[code]);
  });

  test('is recognised', () => {
    expect(isMortiseError(error)).toBe(true);
  });

  test('has a message with the one detail that tells most, and with nothing else of them', () => {
    const details = EXAMPLES[code] as Readonly<Record<string, unknown>>;
    const told = ['problem', 'integration', 'scope', 'ports', 'status'].find(
      (name) => details[name],
    );
    expect(error.message).toBe(code.replaceAll('_', ' ') + (told ? `: ${details[told]}` : ''));
  });
});

describe('what is told when it is made', () => {
  test('hint and retryable may be known better', () => {
    const { hint, retryable } = new MortiseError('timeout', EXAMPLES.timeout, {
      hint: 'As the platform says.',
      retryable: false,
    });
    expect([hint, retryable]).toEqual(['As the platform says.', false]);
    expect(new MortiseError('aborted', {}, { hint: undefined }).hint).toBe('Try again.');
  });

  test('a cause is one of ours, or there is none', () => {
    const cause = make('timeout');
    expect(new MortiseError('aborted', {}, { cause }).cause).toBe(cause);
    expect(Object.hasOwn(make('aborted'), 'cause')).toBe(false);
    // @ts-expect-error Other errors may quote what they choked on.
    expect(() => new MortiseError('aborted', {}, { cause: new Error('foreign') })).not.toThrow();
  });

  test('the details belong to the code', () => {
    // @ts-expect-error A timeout names its host.
    expect(new MortiseError('timeout', {}).code).toBe('timeout');
    const error: unknown = make('rate_limited');
    if (isMortiseError(error) && error.code === 'rate_limited') {
      const { retryAfterMs }: { retryAfterMs: number | null } = error.details;
      expect(retryAfterMs).toBeNull();
    }
  });
});

describe('isMortiseError', () => {
  test('holds across realms, where instanceof does not', () => {
    const context = createContext({});
    const there: unknown = runInContext(
      `class MortiseError extends Error { name = 'MortiseError'; code = 'timeout'; } new MortiseError()`,
      context,
    );
    expect(there instanceof Error).toBe(false);
    expect(isMortiseError(there)).toBe(true);
  });

  test('holds for a copy of the class', () => {
    const copy = Object.assign(new Error('timeout'), { name: 'MortiseError', code: 'timeout' });
    expect(isMortiseError(copy)).toBe(true);
  });

  const thrower = () => {
    throw new Error('a getter');
  };
  const revoked = () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  };
  // prettier-ignore
  test.each<[name: string, value: () => unknown]>([
    ['undefined',                       () => undefined],
    ['null',                            () => null],
    ['text',                            () => 'MortiseError'],
    ['a number',                        () => 42],
    ['a symbol',                        () => Symbol('MortiseError')],
    ['a big number',                    () => 1n],
    ['a function',                      () => function MortiseError() {}],
    ['the class',                       () => MortiseError],
    ['an empty object',                 () => ({})],
    ['an object without prototype',     () => Object.create(null)],
    ['another error',                   () => new Error('timeout')],
    ['an error of the system',          () => Object.assign(new Error(), { code: 'ECONNRESET' })],
    ['a DOMException',                  () => new DOMException('timeout', 'TimeoutError')],
    ['our name without a code',         () => ({ name: 'MortiseError' })],
    ['our name, a code nobody knows',   () => ({ name: 'MortiseError', code: 'made_up' })],
    ['our name, code toString',         () => ({ name: 'MortiseError', code: 'toString' })],
    ['our name, code __proto__',        () => ({ name: 'MortiseError', code: '__proto__' })],
    ['our name, a code in an array',    () => ({ name: 'MortiseError', code: ['timeout'] })],
    ['our code, another name',          () => ({ name: 'Error', code: 'timeout' })],
    ['a getter that throws',            () => ({ get name() { return thrower(); } })],
    ['a code that throws',              () => ({ name: 'MortiseError', get code() { return thrower(); } })],
    ['a revoked proxy',                 revoked],
  ])('is false for %s, and does not throw', (_, value) => {
    expect(isMortiseError(value())).toBe(false);
  });
});

describe('case 197, 198: however an error is printed, no secret is in it', () => {
  const SECRETS = {
    code: 'canary-code/4+0A',
    codeVerifier: 'canary-verifier',
    state: 'canary-state',
    accessToken: 'canary-access',
    refreshToken: 'canary-refresh',
    clientSecret: 'canary-secret',
    password: 'canary-password',
    cookie: 'canary-cookie',
  };
  const secrets = Object.values(SECRETS);
  const { code, state, accessToken, refreshToken } = SECRETS;

  const refused = (status: number, json: unknown) => () =>
    readTokenResponse(
      { status, json, retryAfter: code },
      { dialect: {}, step: 'exchange' },
      secrets,
      0,
      () => undefined,
    );
  const redirected = (query: string) => () =>
    readAuthorizationCode(
      `http://localhost:1/?state=${state}&${query}`,
      { redirectUri: 'http://localhost:1', state },
      { issuer: 'https://as.example', iss: 'optional' },
      standard(),
    );
  const sent = (http: HttpTransport) => async () => {
    const answer = await exchange(
      { http, clock: createFakeClock() },
      {
        method: 'POST',
        url: `https://user:${SECRETS.password}@as.example/${code}?token=${accessToken}#${state}`,
        headers: { authorization: `Bearer ${accessToken}`, cookie: SECRETS.cookie },
        body: new URLSearchParams(SECRETS).toString(),
      },
      { timeoutMs: 1_000, inFlight: createInFlight() },
    );
    return answer.bytes(100);
  };
  const foreign = () =>
    Object.assign(new Error(secrets.join(), { cause: SECRETS }), {
      ...SECRETS,
      response: { body: secrets },
      errors: [new Error(accessToken)],
    });
  const brokenOff = async function* (): ByteStream {
    yield new Uint8Array(Buffer.from(accessToken));
    throw foreign();
  };
  const echo = {
    error: `no ${code}`,
    error_description: `${secrets.join()} ${new URLSearchParams(SECRETS)}`,
  };
  const issued = { access_token: accessToken, refresh_token: refreshToken, token_type: 'Bearer' };
  const headers = new Map([['set-cookie', SECRETS.cookie]]);

  // prettier-ignore
  const FAILURES: ReadonlyArray<[name: string, fail: () => unknown]> = [
    ['a refusal that repeats the request',        refused(400, echo)],
    ['the same with status 200 and tokens',       refused(200, { ...issued, ...echo })],
    ['the same with status 503',                  refused(503, echo)],
    ['tokens with an unknown type',               refused(200, { ...issued, token_type: accessToken })],
    ['tokens with hasError',                      refused(200, { ...issued, hasError: true })],
    ['a token that is no header value',           refused(200, { ...issued, access_token: `${accessToken}\n` })],
    ['a refresh token that is none',              refused(200, { ...issued, refresh_token: [refreshToken] })],
    ['too many requests',                         refused(429, echo)],
    ['a redirect with an error',                  redirected(`error=${state}&error_description=${state}`)],
    ['a redirect with code and error',            redirected(`code=${encodeURIComponent(code)}&error=x`)],
    ['a redirect with two codes',                 redirected(`code=${code}&code=${code}`)],
    ['a redirect with a bad code',                redirected(`code=${code}%0A`)],
    ['a redirect with a foreign iss',             redirected(`code=${code}&iss=https://evil.example/${code}`)],
    ['a redirect with an iss that is none',       redirected(`code=${code}&iss=${code}`)],
    ['an endpoint with a password',               () => checkEndpoint(`https://u:${SECRETS.password}@x/`, 'it')],
    ['an endpoint that is none',                  () => checkEndpoint(`https://${SECRETS.password} x`, 'it')],
    ['a parameter that is reserved',              () => buildAuthorizationUrl(standard({ authorizationParameters: { state } }), { authorizationEndpoint: 'https://as.example', tokenEndpoint: 'https://as.example' }, { redirectUri: 'x', state, codeChallenge: 'x', nonce: 'x' })],
    ['metadata of another',                       () => discoverMetadata('https://as.example', async () => ({ status: 200, text: '', json: { issuer: accessToken } }))],
    ['metadata with a foreign endpoint',          () => discoverMetadata('https://as.example', async () => ({ status: 200, text: '', json: { issuer: 'https://as.example', authorization_endpoint: `https://${accessToken}/` } }))],
    ['a connection that is reset',                sent(() => Promise.reject(foreign()))],
    ['a transport that throws',                   sent(() => { throw foreign(); })],
    ['a body that is broken off',                 sent(async () => ({ status: 200, headers, body: brokenOff() }))],
    ['a body that is too long',                   sent(async () => ({ status: 200, headers, body: (async function* () { yield new Uint8Array(Buffer.from(secrets.join().repeat(9))); })() }))],
  ];

  const caught = async (fail: () => unknown): Promise<unknown> => {
    try {
      await fail();
    } catch (error) {
      return error;
    }
    throw new Error('nothing was thrown');
  };
  const tableOf = (value: unknown): string => {
    let text = '';
    const stdout = new Writable({ write: (chunk, _, done) => ((text += String(chunk)), done()) });
    const printer = new Console({ stdout, stderr: stdout });
    printer.table(value);
    printer.table([value]);
    printer.dir(value, { depth: Infinity, showHidden: true });
    printer.error(value);
    return text;
  };
  const everything = (value: unknown): string => {
    const error = value as MortiseError;
    const spread = { ...error };
    const clone = structuredClone(value) as Error;
    const wrapped = new AggregateError([value], 'wrapped', { cause: value });
    return [
      inspect(value, {
        depth: Infinity,
        showHidden: true,
        getters: true,
        maxStringLength: Infinity,
      }),
      inspect(wrapped, { depth: Infinity, showHidden: true }),
      JSON.stringify(value),
      JSON.stringify(spread),
      inspect(spread, { depth: Infinity, showHidden: true }),
      inspect(clone, { depth: Infinity, showHidden: true }),
      inspect(structuredClone(error.details), { depth: Infinity }),
      String(value),
      `${error.stack} ${clone.stack} ${error.message} ${error.hint}`,
      format('%s %o %O %j', value, value, value, value),
      tableOf(value),
      ...Reflect.ownKeys(error).map((key) =>
        String((error as unknown as Record<PropertyKey, unknown>)[key]),
      ),
    ].join('\n');
  };

  test.each(FAILURES)('%s', async (_, fail) => {
    const error = await caught(fail);
    expect([isMortiseError(error), error]).toEqual([true, error]);
    const text = everything(error);
    expect(text).toContain((error as MortiseError).code);
    for (const secret of secrets) {
      expect(text).not.toContain(secret);
      expect(text).not.toContain(encodeURIComponent(secret));
      expect(text).not.toContain(Buffer.from(secret).toString('base64').replace(/=+$/, ''));
    }
  });

  test('would be seen if there were one', () => {
    const leaking = new MortiseError('network_error', { host: accessToken });
    const hidden = Object.defineProperty(make('aborted'), 'body', { value: accessToken });
    for (const error of [leaking, hidden, foreign()])
      expect(everything(error)).toContain(accessToken);
    for (const print of [JSON.stringify, tableOf]) expect(print(leaking)).toContain(accessToken);
  });

  test('a provider prints no client secret either', () => {
    const provider = standard({ clientSecret: () => SECRETS.clientSecret });
    for (const value of [provider, nativePrevu3d]) {
      const text = inspect(value, { depth: Infinity, showHidden: true }) + JSON.stringify(value);
      expect(text).not.toContain('canary');
    }
  });
});

test('the hints speak to a person: one line, no code, no jargon in angle brackets', () => {
  for (const code of CODES) expect(make(code).hint).toMatch(/^[^<>{}_\n]{5,100}$/);
});

test('every code of the source has an example here', () => {
  const source = readFileSync('src/errors.ts', 'utf8');
  const [, hints = ''] = /HINTS[^{]*\{([^}]*)\}/.exec(source) ?? [];
  expect([...hints.matchAll(/^\s+(\w+):/gm)].map(([, name]) => name)).toEqual(CODES);
});
