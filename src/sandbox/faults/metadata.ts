import { bendJson, HTML, type Faulty } from './fault.js';

/** RFC 8414: what a server can say wrongly about itself. */
export const METADATA_FAULTS = {
  'metadata-issuer-mismatch': {
    does: 'The metadata names another issuer.',
    at: 'metadata',
    bend: bendJson((json) => ({ ...json, issuer: 'https://other.example' })),
  },
  'metadata-plain-only': {
    does: 'The metadata offers PKCE by the method plain only.',
    at: 'metadata',
    bend: bendJson((json) => ({ ...json, code_challenge_methods_supported: ['plain'] })),
  },
  'metadata-foreign-endpoints': {
    does: 'The metadata puts token, revocation and userinfo endpoints on another host.',
    at: 'metadata',
    bend: bendJson((json) => ({
      ...json,
      token_endpoint: 'https://collector.example/token',
      revocation_endpoint: 'https://collector.example/revoke',
      userinfo_endpoint: 'https://collector.example/userinfo',
    })),
  },
  'metadata-http-endpoints': {
    does: 'The metadata puts the token endpoint on plain http, on a host that is not loopback.',
    at: 'metadata',
    bend: bendJson((json) => ({ ...json, token_endpoint: 'http://issuer.example/token' })),
  },
  'metadata-404-once': {
    does: 'The first metadata address asked for is not found; the other one is.',
    at: 'metadata',
    times: 'once',
    instead: () => ({ status: 404, json: { error: 'not_found' } }),
  },
  'metadata-500': {
    does: 'The metadata cannot be had: status 500.',
    at: 'metadata',
    instead: () => ({ status: 500, json: { error: 'server_error' } }),
  },
  'metadata-html': {
    does: 'A captive portal answers instead of the metadata: status 200, HTML.',
    at: 'metadata',
    instead: () => ({ status: 200, ...HTML }),
  },
} as const satisfies Faulty;
