import { consentRoutes } from '../consent.js';
import type { Grants, Issued } from '../grants.js';
import { readBasic, type Answer, type Call, type Refused } from '../message.js';
import { ORGANIZATIONS } from '../organizations.js';
import { isLoopback, type Platform } from '../platform.js';
import { prevu3dConsent } from './consent.js';
import { treeOf } from './tree.js';
import {
  answerTokenRequest,
  challenge,
  exchangeCode,
  exchangeRefreshToken,
  invalidClient,
  invalidRequest,
  readBearer,
  WRONG_SECRET,
} from '../token-endpoint.js';

// The documents name no API host of preproduction; the consent page's domain is taken.
const DOMAINS = ['prevu3d.com', 'preproduction.prevu3d-int.com'];
const REGIONS = ['ue1', 'ec1', 'an1', 'cc1'];
const CLOUD_API_HOSTS = DOMAINS.map((domain) => `cloud-api.${domain}`);
const API_HOSTS = DOMAINS.flatMap((domain) => REGIONS.map((region) => `api-${region}.${domain}`));

const SERVICE = {
  subject: 'service',
  organizationId: ORGANIZATIONS[0].id,
  /** What the administrator gave to the application. */
  scopes: ['read:basic', 'read:hierarchy'],
  lifetimeS: 3_600,
} as const;

const USERS = {
  user: {
    id: '0e35db64-eee1-4dc3-af96-3a5cad8b8f89',
    firstName: 'John',
    lastName: 'Doe',
    email: 'john.doe@prevu3d.com',
  },
  service: {
    id: 'd5a1c7e2-3b48-4f60-8e95-0c7f216b9d34',
    firstName: 'Sandbox',
    lastName: 'OAuth Application',
    email: 'oauth-sandbox@serviceaccount',
  },
};

function refuseSecret({ headers, form }: Call): Refused | undefined {
  return headers['authorization'] !== undefined || form.has('client_secret')
    ? invalidClient('A native application has no client secret.')
    : undefined;
}

function exchange(call: Call, grants: Grants): Issued | Refused {
  const clientId = call.form.get('client_id');
  return (
    refuseSecret(call) ??
    (clientId ? exchangeCode(call, clientId, grants) : invalidRequest('client_id is missing.'))
  );
}

const refresh = (call: Call, grants: Grants): Issued | Refused =>
  refuseSecret(call) ?? exchangeRefreshToken(call, call.form.get('client_id'), grants);

function signInService(call: Call, grants: Grants): Issued | Refused {
  const client = readBasic(call);
  return client?.id && client.secret && client.secret !== WRONG_SECRET
    ? grants.issueToService({ ...SERVICE, clientId: client.id })
    : invalidClient('Client id and secret must come in an HTTP Basic header.');
}

/** The documents print one spelling for users and another for services. */
function writeTokens({ accessToken, refreshToken, lifetimeS }: Issued, { form }: Call) {
  return form.get('grant_type') === 'client_credentials'
    ? { hasError: false, expiresIn: lifetimeS, accessToken }
    : {
        hasError: false,
        expires_in: lifetimeS,
        access_token: accessToken,
        refresh_token: refreshToken,
      };
}

function apiInfo(call: Call, grants: Grants): Answer {
  const claims = readBearer(call, grants);
  if ('status' in claims) return claims;
  const { id, name, region } =
    ORGANIZATIONS.find(({ id }) => id === claims.organizationId) ?? ORGANIZATIONS[0];
  const { url } = call;
  const api = isLoopback(url)
    ? url.origin
    : `https://${url.host.replace('cloud-api.', `api-${region}.`)}`;
  return {
    status: 200,
    json: {
      user: USERS[claims.subject],
      organization: { id, name },
      scopes: claims.scopes,
      issuedAt: new Date(claims.issuedMs).toISOString(),
      expiresAt: null,
      apiUrl: `${api}/realityconnect-api`,
    },
  };
}

/** Two of the three layers: the token's scopes, and the organization the user has chosen. */
function browse(call: Call, grants: Grants): Answer {
  const claims = readBearer(call, grants);
  if ('status' in claims) return claims;
  if (!claims.scopes.includes('read:hierarchy')) {
    return challenge(403, 'Bearer error="insufficient_scope", scope="read:hierarchy"');
  }
  const [wanted] = call.params;
  const owner = ORGANIZATIONS.find((each) => treeOf(each).some(({ id }) => id === wanted));
  if (!owner) return { status: 404, json: { statusCode: 404, message: 'Not Found' } };
  if (owner.id !== claims.organizationId) {
    return { status: 403, json: { statusCode: 403, message: 'Forbidden' } };
  }
  return { status: 200, json: treeOf(owner).filter(({ parentId }) => parentId === wanted) };
}

/** Prevu3D RealityConnect, as its documents describe it; where they are silent, as the RFCs do. */
export const prevu3d: Platform<{
  readonly authorizationEndpoint: string;
  readonly tokenEndpoint: string;
  readonly apiInfoEndpoint: string;
  readonly apiHosts: string[];
}> = {
  routes: (grants, registration) => [
    ...consentRoutes(prevu3dConsent(registration), grants),
    {
      method: 'POST',
      path: /^\/oauth\/token$/,
      hosts: CLOUD_API_HOSTS,
      place: 'token',
      answer: (call) =>
        answerTokenRequest(
          call,
          {
            authorization_code: exchange,
            refresh_token: refresh,
            client_credentials: signInService,
          },
          grants,
          writeTokens,
        ),
    },
    {
      method: 'GET',
      path: /^\/oauth\/api-info$/,
      hosts: CLOUD_API_HOSTS,
      place: 'apiInfo',
      answer: (call) => apiInfo(call, grants),
    },
    {
      method: 'GET',
      path: /^\/realityconnect-api\/v1\/nodes\/([^/]+)\/browse$/,
      hosts: API_HOSTS,
      place: 'browse',
      answer: (call) => browse(call, grants),
    },
  ],
  environment: (origin) => ({
    authorizationEndpoint: `${origin}/oauth`,
    tokenEndpoint: `${origin}/oauth/token`,
    apiInfoEndpoint: `${origin}/oauth/api-info`,
    apiHosts: [new URL(origin).hostname],
  }),
};
