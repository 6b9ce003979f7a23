import { fromProfile, type ClientOptions, type Profile } from '../oauth/profile.js';
import type { Hints, Provider } from '../oauth/provider.js';

/**
 * @module Catenda Hub (formerly bimsync), from developers.catenda.com (Authentication, created 2024-06-11;
 * Pagination; REST v2), read on 2026-11-22.
 *
 * Two types of client, which the documents keep apart: a secret in the body and no PKCE, or PKCE and no secret, which
 * Catenda Support has to switch on. There are no scopes, and no way to revoke is documented. How a client without
 * a secret refreshes is not said: it does as RFC 6749 section 6 has it.
 *
 * The platform speaks OpenCDE too: see the provider `opencde`.
 */

export interface CatendaOptions extends ClientOptions {
  /** Without it PKCE is used, which Catenda Support switches on for a client. */
  readonly clientSecret?: string;
}

const hints: Hints = (code) =>
  code === 'invalid_client'
    ? 'Check the client ID and secret. A client without a secret needs PKCE, which Catenda Support switches on.'
    : undefined;

const PROFILE: Profile = {
  id: 'catenda',
  facts: {
    sources: ['developers.catenda.com: authentication, pagination, REST v2'],
    readOn: '2026-11-22',
  },
  endpoints: {
    authorization: 'https://api.catenda.com/oauth2/authorize',
    token: 'https://api.catenda.com/oauth2/token',
  },
  apiBaseUrl: 'https://api.catenda.com/v2',
  clients: {
    public: { pkce: 'checked' },
    confidential: { secret: 'post', pkce: 'not sent' },
  },
  scopes: 'none',
  person: { path: 'user', names: ['name', 'username'] },
  hints,
};

export function catenda(options: CatendaOptions): Provider {
  return fromProfile(PROFILE, options);
}
