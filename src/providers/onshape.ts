import { MortiseError } from '../errors.js';
import { fromProfile, type ClientOptions, type Profile } from '../oauth/profile.js';
import type { Hints, Provider } from '../oauth/provider.js';

/**
 * @module Onshape, from its developer documentation (onshape-public.github.io: docs/auth/oauth, and the older
 * docs/oauth of 2020-05-18), read on 2026-11-22.
 *
 * A secret is always needed, so only a host that can keep one signs in; it goes into the body beside the client
 * ID, both encoded, for both end in `=`. A code is good for 60 seconds. PKCE is not mentioned: it is sent, but
 * nothing is known of its being compared. There is no way to revoke but the user's account page.
 *
 * The API may answer with a redirect, which is never followed, for the token would go along: it is an
 * `http_error`. An enterprise is reached at its own address, with `apiBaseUrl`.
 */

export interface OnshapeOptions extends ClientOptions {
  readonly clientSecret: string;
  /** Such as `OAuth2Read`. Default: all that the application is registered for. */
  readonly scopes?: readonly string[];
  /** Tokens are good for one company: without it, a user who is in several is asked. */
  readonly companyId?: string;
}

const hints: Hints = (code, step) =>
  step === 'exchange' && code === 'invalid_grant'
    ? 'Sign in again: a code is good for 60 seconds.'
    : undefined;

const PROFILE: Profile = {
  id: 'onshape',
  facts: {
    sources: [
      'onshape-public.github.io/docs/auth/oauth',
      'onshape-public.github.io/docs/oauth (2020-05-18)',
    ],
    readOn: '2026-11-22',
  },
  endpoints: {
    authorization: 'https://oauth.onshape.com/oauth/authorize',
    token: 'https://oauth.onshape.com/oauth/token',
  },
  apiBaseUrl: 'https://cad.onshape.com/api',
  clients: { confidential: { secret: 'post', pkce: 'unknown' } },
  scopes: { always: [], more: 'optional' },
  hints,
};

export function onshape(options: OnshapeOptions): Provider {
  const { companyId } = options;
  if (companyId === undefined) return fromProfile(PROFILE, options);
  if (typeof companyId !== 'string' || !/^[\w-]+$/.test(companyId)) {
    throw new MortiseError('configuration_error', { problem: 'companyId is not an ID' });
  }
  return fromProfile(
    {
      ...PROFILE,
      authorizationParameters: { company_id: companyId },
      // Or the tokens of one company would be found in the store for another.
      server: `${PROFILE.endpoints.token}?company_id=${companyId}`,
    },
    options,
  );
}
