import { fromProfile, type ClientOptions, type Profile } from '../oauth/profile.js';
import type { Provider } from '../oauth/provider.js';

/**
 * @module Trimble Identity and Trimble Connect, from developer.trimble.com (Authentication: authorization code,
 * authorization code with PKCE, API reference), Trimble's identity SDKs for JavaScript and .NET, and the npm
 * package trimble-connect-sdk 4.0.5, read on 2026-11-22.
 *
 * An application without a secret uses Serial PKCE, as Trimble demands: each token request proves the verifier
 * announced by the one before and announces the next, which is kept with the refresh token. That the announcement
 * carries `code_challenge_method` is only in other people's code.
 *
 * An application with a secret is another type at Trimble: HTTP Basic and no PKCE, as Trimble's own SDK for
 * Connect has it, for whoever begins with PKCE must go on with Serial PKCE. `state` is what protects its sign-in.
 * What that SDK sends beyond the documents (`tenantDomain`) is not sent. Only a refresh token can be revoked, and
 * only with a secret.
 *
 * Not documented, so not relied on: a loopback redirect on any port. Where the staging server is, only others say.
 */

export interface TrimbleOptions extends ClientOptions {
  /** For a web application. */
  readonly clientSecret?: string;
  /** The application's name, as registered; `openid` is added. */
  readonly scopes: readonly string[];
}

const PROFILE: Profile = {
  id: 'trimble',
  facts: {
    sources: [
      'developer.trimble.com/docs/authentication: reference/api, guides/authorization-code, guides/authorization-code-pkce',
      'github.com/trimble-oss/trimble-id-sdk-docs-for-js, github.com/trimble-oss/trimble-id-sdk-docs-for-net',
      'npm trimble-connect-sdk 4.0.5',
    ],
    readOn: '2026-11-22',
  },
  endpoints: {
    authorization: 'https://id.trimble.com/oauth/authorize',
    token: 'https://id.trimble.com/oauth/token',
    revocation: 'https://id.trimble.com/oauth/revoke',
  },
  // Projects are in regions: `GET regions` here names their addresses, for `apiBaseUrl`.
  apiBaseUrl: 'https://app.connect.trimble.com/tc/api/2.0',
  clients: {
    public: { pkce: 'serial' },
    confidential: { secret: 'basic', pkce: 'not sent', revokes: 'refresh token' },
  },
  scopes: { always: ['openid'], more: 'needed' },
  dialect: { basicCredentials: 'as they are' },
};

export function trimble(options: TrimbleOptions): Provider {
  return fromProfile(PROFILE, options);
}
