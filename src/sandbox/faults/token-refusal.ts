import { hang, HTML, reset, type Faulty } from './fault.js';

/** RFC 6749 section 5.2 and below: the token endpoint gives no tokens. */
export const TOKEN_REFUSAL_FAULTS = {
  'token-error-200': {
    does: 'A refusal in the body, with status 200.',
    at: 'token',
    instead: () => ({
      status: 200,
      json: { error: 'invalid_request', error_description: 'The sandbox refuses.' },
    }),
  },
  'token-204': {
    does: 'Status 204, no body.',
    at: 'token',
    instead: () => ({ status: 204 }),
  },
  'token-400-empty': {
    does: 'Status 400, no body.',
    at: 'token',
    instead: () => ({ status: 400 }),
  },
  'token-invalid-client': {
    does: 'Every client is refused: status 401, invalid_client.',
    at: 'token',
    instead: () => ({
      status: 401,
      headers: { 'www-authenticate': 'Basic realm="sandbox"' },
      json: { error: 'invalid_client', error_description: 'The sandbox knows no client.' },
    }),
  },
  'token-502-html': {
    does: 'A gateway answers: status 502, HTML.',
    at: 'token',
    instead: () => ({ status: 502, ...HTML }),
  },
  'token-200-html': {
    does: 'A captive portal answers: status 200, HTML.',
    at: 'token',
    instead: () => ({ status: 200, ...HTML }),
  },
  'token-503-retry-after': {
    does: 'Status 503, Retry-After: 1.',
    at: 'token',
    instead: () => ({ status: 503, headers: { 'retry-after': '1' } }),
  },
  'token-reset': {
    does: 'The connection is reset before the request is read.',
    at: 'token',
    instead: reset,
  },
  'token-hang': {
    does: 'No answer ever comes; ends when the client gives up.',
    at: 'token',
    instead: hang,
  },
  'token-redirect': {
    does: 'Status 307 to another host.',
    at: 'token',
    instead: () => ({ status: 307, headers: { location: 'https://collector.example/token' } }),
  },
  'exchange-invalid-grant': {
    does: 'Every code is refused: status 400, invalid_grant.',
    at: 'exchange',
    instead: () => ({
      status: 400,
      json: { error: 'invalid_grant', error_description: 'The sandbox refuses every code.' },
    }),
  },
  'refresh-invalid-grant': {
    does: 'Every refresh token is refused: status 400, invalid_grant.',
    at: 'refresh',
    instead: () => ({
      status: 400,
      json: { error: 'invalid_grant', error_description: 'The sandbox refuses every refresh.' },
    }),
  },
} as const satisfies Faulty;
