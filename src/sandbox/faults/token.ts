import { bendJson, bendText, omit, reset, type Faulty } from './fault.js';

const lifetime = (value: number | string) =>
  bendJson((json) => ({ ...json, ['expiresIn' in json ? 'expiresIn' : 'expires_in']: value }));

async function* endless(): AsyncGenerator<Uint8Array> {
  const chunk = new TextEncoder().encode(' '.repeat(65_536));
  for (;;) yield chunk;
}

async function* brokenOff(text: string): AsyncGenerator<Uint8Array> {
  yield new TextEncoder().encode(text.slice(0, 20));
  reset();
}

/** RFC 6749 section 5.1: how an answer with tokens can be wrong. */
export const TOKEN_FAULTS = {
  'token-camel-case': {
    does: 'Tokens are spelled accessToken, expiresIn, refreshToken.',
    at: 'token',
    bend: bendJson(({ access_token, token, expires_in, refresh_token, ...rest }) => ({
      expiresIn: expires_in,
      accessToken: access_token ?? token,
      refreshToken: refresh_token,
      ...rest,
    })),
  },
  'token-both-spellings': {
    does: 'Token and lifetime come in both spellings, with different values.',
    at: 'token',
    bend: bendJson((json) => ({
      accessToken: 'sandbox-other-token',
      expiresIn: 60,
      access_token: 'sandbox-other-token',
      expires_in: 60,
      ...json,
    })),
  },
  'token-has-error': {
    does: 'hasError is true, with status 200 and tokens.',
    at: 'token',
    bend: bendJson((json) => ({ ...json, hasError: true })),
  },
  'token-no-access-token': {
    does: 'The answer holds no access token.',
    at: 'token',
    bend: bendJson((json) => omit(json, 'access_token', 'accessToken', 'token')),
  },
  'token-not-a-string': {
    does: 'The access token is a number.',
    at: 'token',
    bend: bendJson((json) => ({
      ...json,
      [['accessToken', 'token'].find((name) => name in json) ?? 'access_token']: 42,
    })),
  },
  'token-type-missing': {
    does: 'The answer holds no token_type (prevu3d never sends one).',
    at: 'token',
    bend: bendJson((json) => omit(json, 'token_type')),
  },
  'token-type-mac': {
    does: 'token_type is mac.',
    at: 'token',
    bend: bendJson((json) => ({ ...json, token_type: 'mac' })),
  },
  'token-scope-narrower': {
    does: 'The answer says that only the first scope was granted.',
    at: 'token',
    bend: bendJson((json) => ({ ...json, scope: String(json['scope'] ?? '').split(' ')[0] })),
  },
  'token-expires-negative': {
    does: 'The lifetime is -1752054750, as in one of Prevu3D’s documents.',
    at: 'token',
    bend: lifetime(-1_752_054_750),
  },
  'token-expires-string': {
    does: 'The lifetime is the text "3600".',
    at: 'token',
    bend: lifetime('3600'),
  },
  'token-expires-zero': { does: 'The lifetime is 0.', at: 'token', bend: lifetime(0) },
  'token-expires-absent': {
    does: 'The answer holds no lifetime.',
    at: 'token',
    bend: bendJson((json) => omit(json, 'expires_in', 'expiresIn')),
  },
  'token-short-lived': {
    does: 'Access tokens live 5 seconds, and the answer says so.',
    at: 'token',
    policy: { lifetimeS: 5 },
  },
  'token-status-201': {
    does: 'A good answer comes with status 201.',
    at: 'token',
    bend: (answer) => ({ ...answer, status: 201 }),
  },
  'token-truncated': {
    does: 'The JSON ends in the middle.',
    at: 'token',
    bend: bendText((text) => ({ text: text.slice(0, text.length / 2) })),
  },
  'token-endless': {
    does: 'The body never ends.',
    at: 'token',
    bend: bendText(() => ({ stream: endless() })),
  },
  'token-broken-off': {
    does: 'The connection is reset in the middle of the body.',
    at: 'token',
    bend: bendText((text) => ({ stream: brokenOff(text) })),
  },
  'token-answer-lost': {
    does: 'The request is worked off, then the connection is reset: code or refresh token are spent.',
    at: 'token',
    bend: reset,
  },
  'refresh-no-new-token': {
    does: 'A refresh gives no new refresh token; the old one stays good.',
    at: 'refresh',
    policy: { refreshToken: 'kept back' },
  },
  'refresh-not-rotated': {
    does: 'A refresh gives the same refresh token again.',
    at: 'refresh',
    policy: { refreshToken: 'same' },
  },
} as const satisfies Faulty;
