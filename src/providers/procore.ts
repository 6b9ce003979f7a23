import { MortiseError } from '../errors.js';
import { fromProfile, type ClientOptions, type Profile } from '../oauth/profile.js';
import type { ApiFailure, Provider } from '../oauth/provider.js';

/**
 * @module Procore, from procore/documentation (OAuth endpoints, authorization code grant flow, development
 * environments, rate limiting, MPZ headers) and developers.procore.com, read on 2026-11-22.
 *
 * A secret is always needed, so only a host that can keep one signs in. A refresh repeats `redirect_uri`; there
 * are no scopes. Revoking takes the access token, and the refresh token goes with it. PKCE is not mentioned: it is
 * sent, but nothing is known of its being compared.
 *
 * Most of the API wants the header `Procore-Company-Id`, which is the caller's to send; `v1.0/me` and
 * `v1.0/companies` do not.
 */

export interface ProcoreOptions extends ClientOptions {
  readonly clientSecret: string;
  /** Default `production`. The development sandbox has credentials of its own. */
  readonly environment?: 'production' | 'monthlySandbox' | 'developmentSandbox';
}

const ENVIRONMENTS = {
  production: { login: 'https://login.procore.com', api: 'https://api.procore.com' },
  monthlySandbox: {
    login: 'https://login-sandbox-monthly.procore.com',
    api: 'https://api-monthly.procore.com',
  },
  developmentSandbox: {
    login: 'https://login-sandbox.procore.com',
    api: 'https://sandbox.procore.com',
  },
};

const profileOf = ({ login, api }: { readonly login: string; readonly api: string }): Profile => ({
  id: 'procore',
  facts: {
    sources: [
      'github.com/procore/documentation: oauth/oauth_endpoints.md, oauth/oauth_auth_grant_flow.md, plan_your_app/rate_limiting.md, best_practices/mpz_headers.md',
      'github.com/procore/documentation: page "Sandbox Environments" (/development-environments)',
    ],
    readOn: '2026-11-22',
  },
  endpoints: {
    authorization: `${login}/oauth/authorize`,
    token: `${login}/oauth/token`,
    revocation: `${login}/oauth/revoke`,
  },
  // Each resource has its own version, such as `v1.0/me`.
  apiBaseUrl: `${api}/rest`,
  clients: { confidential: { secret: 'post', pkce: 'unknown', revokes: 'access token' } },
  scopes: 'none',
  refreshRepeats: ['redirect_uri'],
  person: { path: 'v1.0/me', names: ['name', 'login'] },
  apiFailure,
});

export function procore(options: ProcoreOptions): Provider {
  const { environment = 'production' } = options;
  if (!Object.keys(ENVIRONMENTS).includes(environment)) {
    throw new MortiseError('configuration_error', { problem: 'environment is not known' });
  }
  return fromProfile(profileOf(ENVIRONMENTS[environment]), options);
}

/**
 * A limit that is reached says when it ends, as a moment in seconds, with a 429. Counted from the answer's own
 * `Date`, so that this machine's clock does not matter; without one the status speaks for itself.
 */
function apiFailure({ status, headers }: ApiFailure): MortiseError<'rate_limited'> | undefined {
  const reset = headers.get('x-rate-limit-reset') ?? '';
  const answeredAtMs = Date.parse(headers.get('date') ?? '');
  if (status !== 429 || !/^\d{1,12}$/.test(reset) || Number.isNaN(answeredAtMs)) return undefined;
  const retryAfterMs = Math.max(0, Number(reset) * 1000 - answeredAtMs);
  return new MortiseError('rate_limited', { status, retryAfterMs });
}
