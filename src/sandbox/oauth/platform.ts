import { consentRoutes } from '../consent.js';
import { DEVICE_CODE_GRANT } from '../devices.js';
import type { Answer, Call } from '../message.js';
import { oauthConsent } from './consent.js';
import { deviceRoutes } from './device.js';
import { oauthRevocation, oauthToken } from './token.js';
import type { Platform, Route } from '../platform.js';
import { readBearer } from '../token-endpoint.js';

const USER = {
  sub: '0e35db64-eee1-4dc3-af96-3a5cad8b8f89',
  name: 'John Doe',
  given_name: 'John',
  family_name: 'Doe',
  email: 'john.doe@sandbox.example',
};

const WELL_KNOWN = /^\/\.well-known\/(openid-configuration|oauth-authorization-server)$/;

const PROJECTS = ['Harbour Bridge', 'Longueuil Plant', 'Station North'].map((name, index) => ({
  id: `project-${index + 1}`,
  name,
}));

/** RFC 8414 section 2, with what OpenID Connect Discovery asks for beside it. */
function metadata({ url: { origin } }: Call): Answer {
  return {
    status: 200,
    json: {
      issuer: origin,
      authorization_endpoint: `${origin}/authorize`,
      token_endpoint: `${origin}/token`,
      device_authorization_endpoint: `${origin}/device_authorization`,
      revocation_endpoint: `${origin}/revoke`,
      userinfo_endpoint: `${origin}/userinfo`,
      jwks_uri: `${origin}/jwks`,
      response_types_supported: ['code'],
      response_modes_supported: ['query'],
      grant_types_supported: [
        'authorization_code',
        'refresh_token',
        'client_credentials',
        DEVICE_CODE_GRANT,
      ],
      code_challenge_methods_supported: ['S256'],
      token_endpoint_auth_methods_supported: ['none', 'client_secret_basic', 'client_secret_post'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['ES256'],
      authorization_response_iss_parameter_supported: true,
    },
  };
}

/** An authorization server that keeps to the RFCs, and a small API. The issuer is where it is asked. */
export const oauth: Platform<{ readonly issuer: string }> = {
  routes(grants, registration) {
    const authorised = (place: Route['place'], path: RegExp, json: unknown): Route => ({
      method: 'GET',
      path,
      place,
      answer(call) {
        const claims = readBearer(call, grants);
        return 'status' in claims ? claims : { status: 200, json };
      },
    });
    return [
      { method: 'GET', path: WELL_KNOWN, place: 'metadata', answer: metadata },
      ...consentRoutes(oauthConsent(registration), grants),
      ...deviceRoutes(grants),
      {
        method: 'POST',
        path: /^\/token$/,
        place: 'token',
        answer: (call) => oauthToken(call, grants),
      },
      {
        method: 'POST',
        path: /^\/revoke$/,
        place: 'revocation',
        answer: (call) => oauthRevocation(call, grants),
      },
      {
        method: 'GET',
        path: /^\/jwks$/,
        place: 'jwks',
        answer: () => ({ status: 200, json: { keys: [] } }),
      },
      authorised('userinfo', /^\/userinfo$/, USER),
      authorised('api', /^\/api\/me$/, { id: USER.sub, name: USER.name, email: USER.email }),
      authorised('api', /^\/api\/projects$/, PROJECTS),
    ];
  },
  environment: (origin) => ({ issuer: origin }),
};
