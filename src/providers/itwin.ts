import { fromProfile, type ClientOptions, type Profile } from '../oauth/profile.js';
import type { Provider } from '../oauth/provider.js';

/**
 * @module Bentley iTwin Platform, from developer.bentley.com (Authorization: native and SPA; tutorials "Authorize
 * native" and "Authorize web app"; iTwins API) and Bentley's packages @itwin/electron-authorization 0.23.6 and
 * @itwin/node-cli-authorization 1.0.1, read on 2026-11-22.
 *
 * A native or single-page application has no secret and uses PKCE; a web application has its secret in the body,
 * and whether its verifier is compared is not said. The address of the revocation endpoint is from other people's
 * copies of the server's metadata, the request from Bentley's SDK, which only public clients use.
 *
 * The iTwins API wants `accept: application/vnd.bentley.itwin-platform.v1+json` with each request.
 */

export interface ItwinOptions extends ClientOptions {
  /** For a web application. */
  readonly clientSecret?: string;
  /** Such as `itwin-platform`; `offline_access` is added, without which there is no refresh token. */
  readonly scopes: readonly string[];
}

const PROFILE: Profile = {
  id: 'itwin',
  facts: {
    sources: [
      'developer.bentley.com: apis/overview/authorization/native-spa, tutorials/authorize-native, tutorials/authorize-webapp, apis/itwins',
      'npm @itwin/electron-authorization 0.23.6, npm @itwin/node-cli-authorization 1.0.1',
    ],
    readOn: '2026-11-22',
  },
  endpoints: {
    authorization: 'https://ims.bentley.com/connect/authorize',
    token: 'https://ims.bentley.com/connect/token',
    revocation: 'https://ims.bentley.com/connect/revocation',
  },
  apiBaseUrl: 'https://api.bentley.com',
  clients: {
    public: { pkce: 'checked', revokes: 'refresh token' },
    confidential: { secret: 'post', pkce: 'unknown' },
  },
  scopes: { always: ['offline_access'], more: 'needed' },
};

export function itwin(options: ItwinOptions): Provider {
  return fromProfile(PROFILE, options);
}
