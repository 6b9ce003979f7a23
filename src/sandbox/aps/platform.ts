import { apsConsent, apsLogout } from './consent.js';
import { apsDataRoutes } from './data.js';
import { APS_HOSTS, APS_USERINFO_HOSTS, userinfoOrigin } from './hosts.js';
import { APS_SCOPES } from './scopes.js';
import { apsIntrospection, apsRevocation, apsToken } from './token.js';
import { apsUserinfo } from './user.js';
import { consentRoutes } from '../consent.js';
import type { Answer, Call } from '../message.js';
import type { Platform, Route } from '../platform.js';

/** As the documents print it, which say nothing of PKCE here. */
function metadata({ url }: Call): Answer {
  const base = `${url.origin}/authentication/v2`;
  return {
    status: 200,
    json: {
      issuer: url.origin,
      authorization_endpoint: `${base}/authorize`,
      token_endpoint: `${base}/token`,
      userinfo_endpoint: `${userinfoOrigin(url)}/userinfo`,
      jwks_uri: `${base}/keys`,
      revocation_endpoint: `${base}/revoke`,
      introspection_endpoint: `${base}/introspect`,
      scopes_supported: APS_SCOPES,
      response_types_supported: ['code', 'code id_token', 'id_token'],
      response_modes_supported: ['fragment', 'form_post', 'query'],
      grant_types_supported: ['authorization_code', 'client_credentials', 'refresh_token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256'],
    },
  };
}

const FIFTEEN_DAYS_S = 1_296_000;

/** Autodesk Platform Services: Authentication v2, and the part of Data Management that is browsed. */
export const aps: Platform<{ readonly baseUrl: string }> = {
  policy: { codeLifetimeS: 300, refreshLifetimeS: FIFTEEN_DAYS_S },
  routes(grants, registration) {
    const route = (
      method: Route['method'],
      path: RegExp,
      place: Route['place'],
      answer: Route['answer'],
    ): Route => ({ method, path, hosts: APS_HOSTS, place, answer });
    return [
      route('GET', /^\/\.well-known\/openid-configuration$/, 'metadata', metadata),
      ...consentRoutes(apsConsent(registration), grants),
      route('POST', /^\/authentication\/v2\/token$/, 'token', (call) => apsToken(call, grants)),
      route('POST', /^\/authentication\/v2\/revoke$/, 'revocation', (call) =>
        apsRevocation(call, grants),
      ),
      route('POST', /^\/authentication\/v2\/introspect$/, 'api', (call) =>
        apsIntrospection(call, grants),
      ),
      route('GET', /^\/authentication\/v2\/keys$/, 'jwks', () => ({
        status: 200,
        json: { keys: [] },
      })),
      route('GET', /^\/authentication\/v2\/logout$/, 'consent', (call) =>
        apsLogout(call, registration),
      ),
      {
        ...route('GET', /^\/userinfo$/, 'userinfo', (call) => apsUserinfo(call, grants)),
        hosts: APS_USERINFO_HOSTS,
      },
      ...apsDataRoutes(grants),
    ];
  },
  environment: (origin) => ({ baseUrl: origin }),
};
