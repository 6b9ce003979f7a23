import { bendJson, bendLocation, HTML, omit, withParameter, type Faulty } from './fault.js';
import type { Answer } from '../message.js';

type Json = Readonly<Record<string, unknown>>;

/** Bends the user of an answer that has one. */
const bendUser = (change: (user: Json) => unknown) =>
  bendJson((json) => {
    const data = Object(json['data']) as Json;
    const user = data['activeUser'];
    return user ? { ...json, data: { ...data, activeUser: change(user as Json) } } : json;
  });

/** Status 200 with a reason and no data, as a whole query that failed. */
const graphqlError = (code: string, statusCode: number, more: Json = {}) => ({
  status: 200,
  json: {
    errors: [
      {
        message: 'The sandbox refuses this query.',
        path: ['activeUser'],
        extensions: { code, statusCode, ...more },
      },
    ],
    data: null,
  },
});

const notValid = (): Answer => ({ status: 403, json: { error: 'Your token is not valid.' } });

const LIMITED = { message: 'You have sent too many requests.', code: 'RATE_LIMIT_ERROR' };
const LIMIT_HEADERS = {
  'retry-after': '0.25',
  'x-ratelimit-reset': '2026-01-01T00:00:00.250Z',
};

/** What Speckle servers do that no RFC speaks of. At the place `metadata`: all of `/oauth/token`. */
export const SPECKLE_FAULTS = {
  'speckle-legacy-only': {
    does: 'There is no /oauth/token: probe and S256 exchange are answered with 404.',
    at: 'metadata',
    instead: () => ({ status: 404, json: { error: 'Not Found' } }),
  },
  'speckle-front-end': {
    does: 'There is no /oauth/token: the front end answers the probe with 200, HTML, the exchange with 404.',
    at: 'metadata',
    instead: ({ method }) => ({ status: method === 'GET' ? 200 : 404, ...HTML }),
  },
  'speckle-probe-503': {
    does: '/oauth/token is not available: probe and S256 exchange are answered with 503.',
    at: 'metadata',
    instead: () => ({ status: 503, ...HTML }),
  },

  'speckle-stray-code-first': {
    does: 'The first redirect carries a foreign access_code; answering again gives the right one.',
    at: 'redirect',
    times: 'once',
    bend: bendLocation((location) =>
      location.replace(/access_code=[^&]*/, 'access_code=sandbox-code-stray'),
    ),
  },
  'speckle-code-twice': {
    does: 'The redirect carries the parameter access_code twice, with two values.',
    at: 'redirect',
    bend: bendLocation((location) => `${location}&access_code=sandbox-code-second`),
  },
  'speckle-code-and-denied': {
    does: 'The redirect carries an access_code and denied=true.',
    at: 'redirect',
    bend: bendLocation((location) => withParameter(location, 'denied', 'true')),
  },
  'speckle-redirect-naive': {
    does: 'The registered address has a query, and ?access_code=… is simply put behind it.',
    at: 'redirect',
    bend: bendLocation((location) => location.replace('?access_code=', '?from=cad?access_code=')),
  },

  'speckle-no-refresh-token': {
    does: 'The token answer holds no refreshToken.',
    at: 'token',
    bend: bendJson((json) => omit(json, 'refreshToken')),
  },
  'speckle-exchange-refused': {
    does: 'Every access code is refused: status 401, Access code not found.',
    at: 'exchange',
    instead: () => ({ status: 401, json: { err: 'Access code not found.' } }),
  },
  'speckle-refresh-refused': {
    does: 'Every refresh token is refused: status 401, as after a change to the application.',
    at: 'refresh',
    instead: () => ({ status: 401, json: { err: 'Invalid request' } }),
  },
  'speckle-logout-400': {
    does: 'Logging out fails: status 400, plain text.',
    at: 'revocation',
    instead: () => ({ status: 400, text: 'Something went wrong while trying to logout.' }),
  },

  'speckle-token-not-valid': {
    does: 'The API answers every token with status 403: Your token is not valid.',
    at: 'api',
    instead: notValid,
  },
  'speckle-token-not-valid-once': {
    does: 'The API answers with status 403 once: Your token is not valid.',
    at: 'api',
    times: 'once',
    instead: notValid,
  },
  'speckle-active-user-null': {
    does: 'activeUser is null without an error, though the token is good.',
    at: 'api',
    bend: bendUser(() => null),
  },
  'speckle-partial-data': {
    does: 'GraphQL gives data and errors in one answer.',
    at: 'api',
    bend: bendJson((json) => ({
      errors: [
        {
          message: 'The avatar cannot be read.',
          path: ['activeUser', 'avatar'],
          extensions: { code: 'INTERNAL_SERVER_ERROR', statusCode: 500 },
        },
      ],
      ...json,
    })),
  },
  'speckle-forbidden-scope': {
    does: 'GraphQL gives the error FORBIDDEN with the missing scope, and no data.',
    at: 'api',
    instead: () => graphqlError('FORBIDDEN', 403, { scope: 'streams:read' }),
  },
  'speckle-unauthenticated': {
    does: 'GraphQL gives the error UNAUTHENTICATED, and no data.',
    at: 'api',
    instead: () => graphqlError('UNAUTHENTICATED', 401),
  },
  'speckle-unauthorized': {
    does: 'GraphQL gives the error UNAUTHORIZED, and no data.',
    at: 'api',
    instead: () => graphqlError('UNAUTHORIZED', 401),
  },
  'speckle-project-not-found': {
    does: 'GraphQL gives the error STREAM_NOT_FOUND, and no data.',
    at: 'api',
    instead: () => graphqlError('STREAM_NOT_FOUND', 404),
  },
  'speckle-sso-session-missing': {
    does: 'GraphQL gives the error SSO_SESSION_MISSING_OR_EXPIRED_ERROR, and no data.',
    at: 'api',
    instead: () => graphqlError('SSO_SESSION_MISSING_OR_EXPIRED_ERROR', 401),
  },
  'speckle-429-fractional-once': {
    does: 'Status 429 once, with Retry-After: 0.25 and a date in X-RateLimit-Reset.',
    at: 'api',
    times: 'once',
    instead: () => ({ status: 429, headers: LIMIT_HEADERS, json: { error: LIMITED } }),
  },
  'speckle-429-resolver-once': {
    does: 'Status 429 once, with RATE_LIMIT_ERROR among GraphQL errors.',
    at: 'api',
    times: 'once',
    instead: () => ({
      ...graphqlError('RATE_LIMIT_ERROR', 429),
      status: 429,
      headers: LIMIT_HEADERS,
    }),
  },
  'speckle-cursor-for-ever': {
    does: 'Every page of projects is the first one, with the same cursor.',
    at: 'api',
    // No page ends with such a cursor, so it leads to the beginning.
    bend: bendUser((user) =>
      user['projects']
        ? { ...user, projects: { ...user['projects'], cursor: 'sandbox-same-cursor' } }
        : user,
    ),
  },
} as const satisfies Faulty;
