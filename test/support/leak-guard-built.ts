// For the built package, whose modules are one: secrets are taken where they pass the host.
import type { Host } from '../../src/ports/index.js';
import { guard } from './leak-guard-setup.js';

const { hide, tell, tellLater, passed } = guard;

const readJson = (text: string): Record<string, unknown> => {
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
};

/** The same host, overheard. */
const overheard = (host: Host): Host => ({
  ...host,
  http(request) {
    tell('the address of a request', request.url);
    hide('access token', /^Bearer (.*)$/.exec(request.headers['authorization'] ?? '')?.[1]);
    if (typeof request.body === 'string') {
      const form = {
        ...Object.fromEntries(new URLSearchParams(request.body)),
        ...readJson(request.body),
      };
      hide('authorization code', form['code']);
      hide('code verifier', form['code_verifier'] ?? form['codeVerifier']);
      hide('refresh token', form['refresh_token']);
      hide('client secret', form['client_secret']);
    }
    return host.http(request);
  },
  store: {
    ...host.store,
    set(key, value) {
      const { accessToken, refreshToken, attempts } = readJson(value);
      hide('access token', accessToken);
      hide('refresh token', refreshToken);
      for (const attempt of Array.isArray(attempts) ? attempts : []) {
        hide('code verifier', Object(attempt).codeVerifier);
      }
      return host.store.set(key, value);
    },
  },
});

const BUILT = '../../dist/cjs';

jest.doMock(`${BUILT}/chunks/errors.js`, () => {
  const actual = jest.requireActual<typeof import('../../src/errors.js')>(
    `${BUILT}/chunks/errors.js`,
  );
  return {
    ...actual,
    MortiseError: new Proxy(actual.MortiseError, {
      construct(type, args, made) {
        const error: Error = Reflect.construct(type, args, made);
        tellLater(`an error (${Object(error).code})`, () => error);
        return error;
      },
    }),
  };
});

jest.doMock(`${BUILT}/index.js`, () => {
  const actual = jest.requireActual<typeof import('../../src/index.js')>(`${BUILT}/index.js`);
  const createSession: typeof actual.createSession = (options) => {
    const session = actual.createSession({ ...options, host: overheard(options.host) });
    passed('a session');
    session.onChange((change) => {
      passed(session.state.name);
      tell(`an event (${change.event})`, change);
      tell(`a state (${session.state.name})`, session.state);
    });
    return session;
  };
  return { ...actual, createSession };
});
