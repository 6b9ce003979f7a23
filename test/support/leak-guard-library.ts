import type { LeakGuard } from './leak-guard.js';

/** Puts something around what a module of the library exports, for everybody who imports it. */
function around<M extends object>(path: string, wrap: (actual: M) => Partial<M>): void {
  jest.doMock(path, () => {
    const actual = jest.requireActual<M>(path);
    const wrapped = wrap(actual);
    for (const name of Object.keys(wrapped)) {
      if (!(name in actual)) throw new Error(`the leak guard looks for ${name} in ${path}`);
    }
    if (wrapped === actual) return actual;
    return Object.defineProperty({ ...actual, ...wrapped }, '__esModule', { value: true });
  });
}

const OAUTH = '../../src/oauth';
const SESSION = '../../src/session';

/** What nobody is to be told: where the core first has it in its hands. */
export function watchSecrets({ hide, show }: LeakGuard): void {
  const hideTokens = (tokens: unknown) => {
    const { accessToken, refreshToken } = Object(tokens);
    hide('access token', accessToken);
    hide('refresh token', refreshToken);
  };

  around<typeof import('../../src/oauth/token-response.js')>(
    `${OAUTH}/token-response.js`,
    ({ readTokenResponse, readEndpointAnswer }) => ({
      readEndpointAnswer(...args) {
        const body = readEndpointAnswer(...args);
        hide('device code', body['device_code']);
        return body;
      },
      readTokenResponse(answer, ...rest) {
        // Also of an answer that is refused.
        const { access_token, refresh_token, ...more } = Object(answer.json);
        hideTokens({ accessToken: access_token, refreshToken: refresh_token });
        hideTokens(more);
        const tokens = readTokenResponse(answer, ...rest);
        hideTokens(tokens);
        return tokens;
      },
    }),
  );
  around<typeof import('../../src/oauth/pkce.js')>(
    `${OAUTH}/pkce.js`,
    ({ createPkce, codeChallengeOf, randomText }) => ({
      async createPkce(crypto) {
        const pkce = await createPkce(crypto);
        hide('code verifier', pkce.codeVerifier);
        return pkce;
      },
      codeChallengeOf(crypto, codeVerifier) {
        hide('code verifier', codeVerifier);
        return codeChallengeOf(crypto, codeVerifier);
      },
      randomText(crypto) {
        const text = randomText(crypto);
        show(text);
        return text;
      },
    }),
  );
  around<typeof import('../../src/oauth/authorization-response.js')>(
    `${OAUTH}/authorization-response.js`,
    ({ readAuthorizationCode }) => ({
      readAuthorizationCode(...args) {
        const code = readAuthorizationCode(...args);
        hide('authorization code', code);
        return code;
      },
    }),
  );
  around<typeof import('../../src/oauth/client-options.js')>(
    `${OAUTH}/client-options.js`,
    ({ checkClient }) => ({
      checkClient(...args) {
        const client = checkClient(...args);
        hide('client secret', client.clientSecret?.());
        return client;
      },
    }),
  );
  around<typeof import('../../src/oauth/token-request.js')>(
    `${OAUTH}/token-request.js`,
    ({ buildTokenRequest }) => ({
      buildTokenRequest(provider, server, url, fields) {
        hide('client secret', provider.clientSecret?.());
        hide('authorization code', fields['code']);
        hide('code verifier', fields['code_verifier']);
        hide('refresh token', fields['refresh_token']);
        hide('token', fields['token']);
        hide('device code', fields['device_code']);
        return buildTokenRequest(provider, server, url, fields);
      },
    }),
  );
  around<typeof import('../../src/session/pasted.js')>(
    `${SESSION}/pasted.js`,
    ({ readPasted }) => ({
      readPasted(...args) {
        const read = readPasted(...args);
        if ('code' in read) hide('authorization code', read.code);
        return read;
      },
    }),
  );
  around<typeof import('../../src/session/record.js')>(
    `${SESSION}/record.js`,
    ({ formatSession, parseSession, parseAttempts }) => ({
      formatSession(session) {
        hideTokens(session);
        return formatSession(session);
      },
      parseSession(text) {
        const session = parseSession(text);
        hideTokens(session);
        return session;
      },
      parseAttempts(text) {
        const attempts = parseAttempts(text);
        for (const { codeVerifier } of attempts) hide('code verifier', codeVerifier);
        return attempts;
      },
    }),
  );
  around<typeof import('../../adapters/node/sealing-keys.js')>(
    '../../adapters/node/sealing-keys.js',
    ({ createSealingKeys }) => ({
      createSealingKeys(keychain, lock, clock) {
        // Its other entry is a word.
        const hideKey = (account: string, text: string | null) => {
          if (account.endsWith('/key')) hide('sealing key', text);
        };
        const overheard: typeof keychain = {
          ...keychain,
          async get(account) {
            const text = await keychain.get(account);
            hideKey(account, text);
            return text;
          },
          set(account, text) {
            hideKey(account, text);
            return keychain.set(account, text);
          },
        };
        return createSealingKeys(overheard, lock, clock);
      },
    }),
  );
  around<typeof import('../../src/sandbox/grants.js')>(
    '../../src/sandbox/grants.js',
    ({ createGrants }) => ({
      createGrants(options) {
        const grants = createGrants(options);
        const { issueCode, takeCode, redeemRefreshToken, issueToService, devices } = grants;
        const { begin, poll } = devices;
        const issuing =
          <A extends unknown[], I extends object>(issue: (...args: A) => I) =>
          (...args: A): I => {
            const issued = Reflect.apply(issue, grants, args);
            hideTokens(issued);
            return issued;
          };
        Object.assign(devices, {
          begin(...args: Parameters<typeof begin>) {
            const begun = begin(...args);
            hide('device code', begun.deviceCode);
            return begun;
          },
          poll: issuing(poll),
        });
        return Object.assign(grants, {
          issueCode(...args: Parameters<typeof issueCode>) {
            const code = issueCode(...args);
            hide('authorization code', code);
            return code;
          },
          takeCode: issuing(takeCode),
          redeemRefreshToken: issuing(redeemRefreshToken),
          issueToService: issuing(issueToService),
        });
      },
    }),
  );
}

/** Where the library speaks: to the program, the user, the log, and by addresses to everybody on the way. */
export function watchWords({ hide, tell, tellLater, passed }: LeakGuard): void {
  around<typeof import('../../src/errors.js')>('../../src/errors.js', (actual) => {
    const { MortiseError, misconfigured, ourError } = actual;
    const tellError = <E extends object>(error: E): E => {
      // A program may print it at any time, and until then somebody may add to it.
      tellLater(`an error (${Object(error).code})`, () => error);
      return error;
    };
    return {
      MortiseError: new Proxy(MortiseError, {
        construct: (type, args, made) => tellError(Reflect.construct(type, args, made)),
      }),
      misconfigured: (problem) => tellError(misconfigured(problem)),
      ourError: (error) => tellError(ourError(error)),
    };
  });
  around<typeof import('../../src/session/create-session.js')>(
    `${SESSION}/create-session.js`,
    ({ createSession }) => ({
      createSession(options) {
        // Speckle's app secret is no `clientSecret` before this.
        const { clientSecret } = Object(Object(options).provider);
        if (typeof clientSecret === 'function') hide('client secret', clientSecret());
        passed('a session');
        const session = createSession(options);
        tellLater('a session', () => session);
        return session;
      },
    }),
  );
  around<typeof import('../../src/session/machine.js')>(
    `${SESSION}/machine.js`,
    ({ createMachine }) => ({
      createMachine() {
        const machine = createMachine();
        const { dispatch, amend, onChange } = machine;
        const tellState = () => {
          passed(machine.state.name);
          tell(`a state (${machine.state.name})`, machine.state);
        };
        return Object.defineProperties(machine, {
          dispatch: {
            value: (...args: Parameters<typeof dispatch>) => {
              const isDone = dispatch(...args);
              tellState();
              return isDone;
            },
          },
          amend: {
            value: (...args: Parameters<typeof amend>) => {
              amend(...args);
              tellState();
            },
          },
          onChange: {
            value: (listener: Parameters<typeof onChange>[0]) =>
              onChange((change) => {
                tell(`an event (${change.event})`, change);
                return listener(change);
              }),
          },
        });
      },
    }),
  );
  around<typeof import('../../src/plugins/login-status.js')>(
    '../../src/plugins/login-status.js',
    ({ watchLogin }) => ({
      watchLogin(...args) {
        const login = watchLogin(...args);
        return {
          get status() {
            return login.status;
          },
          onStatus: (listener) =>
            login.onStatus((status) => {
              tell('an event (status)', status);
              return listener(status);
            }),
        };
      },
    }),
  );
  around<typeof import('../../src/oauth/authorization-request.js')>(
    `${OAUTH}/authorization-request.js`,
    ({ buildAuthorizationUrl }) => ({
      buildAuthorizationUrl(...args) {
        const url = buildAuthorizationUrl(...args);
        tell('the address the user is sent to', url);
        return url;
      },
    }),
  );
  around<typeof import('../../src/http/exchange.js')>(
    '../../src/http/exchange.js',
    ({ exchange }) => ({
      exchange(host, request, options) {
        const { authorization = '' } = request.headers;
        hide('access token', /^Bearer (.*)$/.exec(authorization)?.[1]);
        tell('the address of a request', request.url);
        return exchange(host, request, options);
      },
    }),
  );
  around<typeof import('../../adapters/node/redirection-endpoint.js')>(
    '../../adapters/node/redirection-endpoint.js',
    ({ createRedirectionEndpoint }) => ({
      createRedirectionEndpoint(...args) {
        const endpoint = createRedirectionEndpoint(...args);
        return {
          ...endpoint,
          answer(request, response) {
            // Whatever came, ours or not, is not to be repeated.
            const { searchParams } = new URL(String(request.url), 'http://localhost');
            for (const name of ['code', 'access_code']) {
              for (const code of searchParams.getAll(name)) hide('authorization code', code);
            }
            for (const name of ['writeHead', 'end'] as const) {
              const say = response[name] as (...said: unknown[]) => unknown;
              Object.defineProperty(response, name, {
                value: (...said: unknown[]) => {
                  tell('an answer of the loopback server', said);
                  return Reflect.apply(say, response, said);
                },
              });
            }
            endpoint.answer(request, response);
          },
        };
      },
    }),
  );
}
