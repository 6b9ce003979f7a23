import { MortiseError, misconfigured } from '../errors.js';
import { checkClient } from '../oauth/client-options.js';
import { checkEndpoint, isHostName, isTrusted, parseUrl } from '../oauth/endpoint.js';
import type { ApiSend, Hints, Provider } from '../oauth/provider.js';
import { pathSegment } from '../api/url.js';
import { walkTree, type WalkOptions, type WalkStep } from '../api/walk.js';

/**
 * @module Prevu3D RealityConnect, from the platform's guides "Native Application Flow" and "Client
 * Credentials Flow", read on 2026-11-22.
 */

/** One of the platform's installations, or one of your own for tests. */
export interface Prevu3dEnvironment {
  readonly authorizationEndpoint: string;
  readonly tokenEndpoint: string;
  readonly apiInfoEndpoint: string;
  /** Which hosts an API URL may name: each name and all below it, on the default port; a loopback name on any. */
  readonly apiHosts: readonly string[];
}

const environmentAt = (host: string, apiHost: string): Prevu3dEnvironment => ({
  authorizationEndpoint: `https://cloud.${host}/oauth`,
  tokenEndpoint: `https://cloud-api.${host}/oauth/token`,
  apiInfoEndpoint: `https://cloud-api.${host}/oauth/api-info`,
  apiHosts: [apiHost],
});

const ENVIRONMENTS = {
  production: environmentAt('prevu3d.com', 'prevu3d.com'),
  // The guide prints the consent page only; the API host follows as its script derives one from the other.
  preproduction: environmentAt('preproduction.prevu3d-int.com', 'prevu3d-int.com'),
};

interface CommonOptions {
  readonly clientId: string;
  /** Default `production`. */
  readonly environment?: 'production' | 'preproduction' | Prevu3dEnvironment;
}

/** A signed-in user, in a native application: PKCE, any port of `http://localhost`, no secret. */
export interface Prevu3dUserOptions extends CommonOptions {
  readonly grant?: 'authorization_code';
  /** Such as `read:basic` and `read:hierarchy`; at least one. */
  readonly scopes: readonly string[];
}

/** A service user: no sign-in, and a secret that only a server can keep. */
export interface Prevu3dServiceOptions extends CommonOptions {
  readonly grant: 'client_credentials';
  readonly clientSecret: string;
}

/** What the platform says of a token. Fields that are not listed are kept. */
export interface Prevu3dApiInfo {
  readonly apiUrl: string;
  readonly organization: { readonly id: string; readonly name?: string };
  readonly user?: Readonly<Record<string, unknown>>;
  readonly scopes?: readonly string[];
  readonly [field: string]: unknown;
}

/** A node of the content tree: organization, division, site, folder or asset. Unknown fields are kept. */
export interface Prevu3dNode {
  readonly id: string;
  readonly [field: string]: unknown;
}

export interface Prevu3dApi {
  /** Below the API URL of the organization's region, which is asked for once a sign-in. */
  readonly request: ApiSend;
  /** @throws {MortiseError} `api_url_untrusted` when the API URL is not on one of the platform's hosts. */
  getApiInfo(options?: { signal?: AbortSignal }): Promise<Prevu3dApiInfo>;
  /** The children of a node. */
  browse(nodeId: string, options?: { signal?: AbortSignal }): Promise<Prevu3dNode[]>;
  /** Everything below a node, level by level, parents before children, without the node itself. */
  walk(nodeId: string, options?: WalkOptions): AsyncIterable<WalkStep<Prevu3dNode>>;
}

/** What the guides' troubleshooting tables advise. */
const hints: Hints = (code, step, status) => {
  if (step === 'exchange' && (status === 400 || status === 403)) {
    return 'Sign in again: a code is good for 60 seconds. If it stays, check that the Client ID is of a native app (Authorization Code and Native Application on), which a Client Credentials app is not.';
  }
  if (status === 401 && step !== 'api') return 'Check the Client ID and Secret.';
  if (code === 'forbidden') {
    return 'Three layers must allow it: the OAuth scopes, content access to the node, and a role on it. Ask your Prevu3D administrator.';
  }
  if (step === 'api' && status === 404) {
    return 'Perhaps another organization was chosen on the consent page: sign in again and pick the right one.';
  }
  if (step === 'authorization') {
    return code === 'access_denied'
      ? 'Sign in again, choose the organization and click Allow.'
      : 'Check that the app is a native app with all scopes it asks for, and no custom redirect URI.';
  }
  return undefined;
};

export function prevu3d(options: Prevu3dUserOptions | Prevu3dServiceOptions): Provider<Prevu3dApi> {
  const { environment = 'production' } = options;
  const isService = options.grant === 'client_credentials';
  const client = checkClient({ ...options, ...(isService && { scopes: [] }) });
  const chosen = typeof environment === 'string' ? ENVIRONMENTS[environment] : environment;
  if (!chosen) throw misconfigured('environment is not known');
  const { apiHosts } = chosen;
  const endpoint = (name: 'authorizationEndpoint' | 'tokenEndpoint' | 'apiInfoEndpoint') =>
    checkEndpoint(chosen[name], name);
  const authorizationEndpoint = endpoint('authorizationEndpoint');
  const tokenEndpoint = endpoint('tokenEndpoint');
  const apiInfo = new URL(endpoint('apiInfoEndpoint'));

  if (!Array.isArray(apiHosts) || !apiHosts.length || !apiHosts.every(isHostName)) {
    throw misconfigured('apiHosts must be host names, without scheme, port or wildcard');
  }
  if (isService && !client.clientSecret) throw misconfigured('clientSecret is missing');
  if (!isService && client.clientSecret) throw misconfigured('a native app has no client secret');
  if (!isService && !client.scopes.length)
    throw misconfigured('scopes must name at least one scope');

  return {
    id: 'prevu3d',
    grant: isService ? 'client_credentials' : 'authorization_code',
    ...client,
    redirect: { loopback: 'localhost', path: '', ports: 'any' },
    server: tokenEndpoint,
    metadata: { authorizationEndpoint, tokenEndpoint },
    dialect: {
      scopeParameter: 'scopes repeated',
      denial: 'without state',
      tokenType: 'optional',
      tokenNames: { accessToken: 'accessToken', expiresIn: 'expiresIn' },
      basicCredentials: 'as they are',
    },
    hints,
    api({ connect, askIdentity }) {
      const platform = connect(apiInfo.origin);
      const getApiInfo: Prevu3dApi['getApiInfo'] = async ({ signal } = {}) => {
        const tell = askIdentity();
        const answer = await platform({ path: apiInfo.pathname + apiInfo.search, signal });
        const info = readApiInfo(await answer.json(), apiHosts);
        // What names the user there is not in the documents.
        const { id, email } = Object(info.user) as Readonly<Record<string, unknown>>;
        tell(info.organization.id, id ?? email ?? 'unknown');
        return info;
      };
      const request = connect(async () => (await getApiInfo()).apiUrl);
      const browse: Prevu3dApi['browse'] = async (nodeId, { signal } = {}) => {
        const path = `v1/nodes/${pathSegment(nodeId)}/browse`;
        return readNodes(await (await request({ path, signal })).json());
      };
      return {
        request,
        getApiInfo,
        browse,
        walk: (nodeId, walk) => walkTree(nodeId, browse, walk),
      };
    },
    async displayName(api) {
      const { firstName, lastName } = (await api.getApiInfo()).user ?? {};
      const names = [firstName, lastName].filter((name) => typeof name === 'string');
      return names.join(' ') || null;
    },
  };
}

const malformed = (problem: string) => new MortiseError('malformed_response', { problem });

function readApiInfo(json: unknown, apiHosts: readonly string[]): Prevu3dApiInfo {
  const info = Object(json) as Prevu3dApiInfo;
  if (typeof info.apiUrl !== 'string' || typeof info.organization?.id !== 'string') {
    throw malformed('it names no API URL or no organization');
  }
  const url = parseUrl(info.apiUrl);
  if (!url || url.search || !isTrusted(url, apiHosts)) {
    throw new MortiseError('api_url_untrusted', { host: url?.host ?? '' });
  }
  return info;
}

/** The answer's schema is not in the documents: a bare array, or an object with exactly one array. */
function readNodes(json: unknown): Prevu3dNode[] {
  const lists = Array.isArray(json) ? [json] : Object.values(Object(json)).filter(Array.isArray);
  const [nodes] = lists;
  if (!nodes || lists.length !== 1) throw malformed('it holds no list of nodes');
  if (!nodes.every((node: unknown) => typeof Object(node).id === 'string')) {
    throw malformed('a node has no id');
  }
  return nodes as Prevu3dNode[];
}
