import { apsError } from '../aps/error.js';
import { bendJson, hang, omit, type Faulty } from './fault.js';
import { APS_DATA_FAULTS } from './aps-data.js';

const internal = { developerMessage: 'An internal error occurred.', errorCode: 'ERR-003' };

/** What can go wrong with Autodesk Platform Services, besides what can with any platform. */
export const APS_FAULTS = {
  'aps-metadata-revoke-endpoint': {
    does: 'The metadata says revoke_endpoint, not revocation_endpoint: the documents print both.',
    at: 'metadata',
    bend: bendJson((json) => ({
      ...omit(json, 'revocation_endpoint'),
      revoke_endpoint: json['revocation_endpoint'],
    })),
  },
  'aps-token-auth-003': {
    does: 'Every client is refused in Autodesk’s own shape: status 401, AUTH-003, no "error".',
    at: 'token',
    instead: () =>
      apsError(401, {
        developerMessage: 'The client_id or client_secret is not valid.',
        errorCode: 'AUTH-003',
      }),
  },
  'aps-token-err-001': {
    does: 'The token endpoint is asked too often: status 429, ERR-001, Retry-After: 1.',
    at: 'token',
    instead: () => ({
      ...apsError(429, { developerMessage: 'Rate limit exceeded.', errorCode: 'ERR-001' }),
      headers: { 'retry-after': '1' },
    }),
  },
  'aps-token-err-003': {
    does: 'The token endpoint fails in Autodesk’s own shape: status 500, ERR-003.',
    at: 'token',
    instead: () => apsError(500, internal),
  },
  'aps-token-502': {
    does: 'The token endpoint is out of reach behind its gateway: status 502, no body.',
    at: 'token',
    instead: () => ({ status: 502 }),
  },
  'aps-token-408': {
    does: 'The token endpoint gives up waiting for the request: status 408, no body.',
    at: 'token',
    instead: () => ({ status: 408 }),
  },
  'aps-refresh-auth-004': {
    does: 'Every refresh token is refused in Autodesk’s own shape: status 400, AUTH-004.',
    at: 'refresh',
    instead: () =>
      apsError(400, {
        developerMessage: 'The refresh token is expired or invalid.',
        errorCode: 'AUTH-004',
      }),
  },
  'aps-refresh-grace': {
    does: 'A spent refresh token is taken again, as for some 50 ms when two requests race.',
    at: 'refresh',
    policy: { refreshToken: 'reusable' },
  },
  'aps-revoke-503': {
    does: 'Revocation answers with status 503.',
    at: 'revocation',
    instead: () => apsError(503, internal),
  },
  'aps-revoke-hang': {
    does: 'Revocation never answers; ends when the client gives up.',
    at: 'revocation',
    instead: hang,
  },
  'aps-userinfo-401': {
    does: 'The user info endpoint takes no token: status 401, AUTH-006.',
    at: 'userinfo',
    instead: () =>
      apsError(401, { developerMessage: 'The access token is invalid.', errorCode: 'AUTH-006' }),
  },
  ...APS_DATA_FAULTS,
} as const satisfies Faulty;
