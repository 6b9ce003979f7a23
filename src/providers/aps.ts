import { misconfigured } from '../errors.js';
import { listing, type Listing } from '../api/pages.js';
import { pathSegment } from '../api/url.js';
import { checkClient } from '../oauth/client-options.js';
import { checkRedirectUris, parseServerRoot } from '../oauth/endpoint.js';
import type { ApiSend, Hints, Provider } from '../oauth/provider.js';
import { apiFailure, refusal } from './aps/failures.js';
import { linkedPages, type ApsEntry, type ApsListOptions } from './aps/pages.js';

/**
 * @module Autodesk Platform Services, Authentication v2 and Data Management, from authentication.yaml and
 * datamanagement.yaml of autodesk-platform-services/aps-sdk-openapi (June 2026), the developer's guide, and
 * VIKTOR's page "Autodesk Platform Services", read on 2026-11-22.
 */

export type { ApsEntry, ApsListOptions, ApsWarning } from './aps/pages.js';

interface CommonOptions {
  readonly clientId: string;
  /** Such as `data:read`; at least one, at most 50. With `openid` a nonce is sent. */
  readonly scopes: readonly string[];
  /** For a sandbox or a gateway of your own. Default `https://developer.api.autodesk.com`. */
  readonly baseUrl?: string;
}

/** A signed-in user (3-legged): PKCE alone, or with a secret in an HTTP Basic header; never both in the body. */
export interface ApsUserOptions extends CommonOptions {
  readonly grant?: 'authorization_code';
  readonly clientSecret?: string;
  /** Exactly as registered, port and slash included. The first that can be had is used. */
  readonly redirectUris: readonly string[];
}

/** The app itself (2-legged): no user, no refresh token. */
export interface ApsServiceOptions extends CommonOptions {
  readonly grant: 'client_credentials';
  readonly clientSecret: string;
}

export interface ApsApi {
  /** Below `https://developer.api.autodesk.com`. */
  readonly request: ApiSend;
  /** Who signed in. @throws {MortiseError} `configuration_error` without a user. */
  userInfo(options?: { signal?: AbortSignal }): Promise<Readonly<Record<string, unknown>>>;
  /**
   * Lists over all pages: `for await` reads them one by one, `await` reads them all. A list that is empty
   * because the server may not show it is `forbidden`, with the server's reasons in `details.warnings`.
   */
  hubs(options?: ApsListOptions): Listing<ApsEntry>;
  projects(hubId: string, options?: ApsListOptions): Listing<ApsEntry>;
  topFolders(hubId: string, projectId: string, options?: ApsListOptions): Listing<ApsEntry>;
  folderContents(projectId: string, folderId: string, options?: ApsListOptions): Listing<ApsEntry>;
}

const BASE_URL = 'https://developer.api.autodesk.com';
/** Another host than all the rest. */
const USERINFO_ENDPOINT = 'https://api.userprofile.autodesk.com/userinfo';

/** @see RFC 6749 section 3.3 */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+$/;
const MAX_SCOPES = 50;
const MAX_SCOPE_LENGTH = 2_000;

const hints: Hints = (code, step, status) => {
  if (code === 'invalid_client' || (step !== 'api' && status === 401)) {
    return 'Check the Client ID and Secret, and that the app’s type fits: a desktop or single-page app has no secret.';
  }
  if (step === 'authorization' && code !== 'access_denied') {
    return 'Check that Callback URL and scopes are those of the app at Autodesk.';
  }
  if (code === 'insufficient_scope') {
    return 'The token lacks a scope this call asks for: add it to the integration, then sign in again.';
  }
  if (code === 'forbidden') {
    return 'An ACC account administrator must add the app’s Client ID under Custom Integrations, the app needs access to this API, and you need access to the project.';
  }
  return undefined;
};

export function aps(options: ApsUserOptions | ApsServiceOptions): Provider<ApsApi> {
  const client = checkClient(options, SCOPE);
  const { scopes } = client;
  const { baseUrl } = options;
  const isService = options.grant === 'client_credentials';
  if (!isService && options.grant !== undefined && options.grant !== 'authorization_code') {
    throw misconfigured('grant must be authorization_code or client_credentials');
  }
  const redirect = isService ? [] : checkRedirectUris(options.redirectUris);

  if (isService && !client.clientSecret) throw misconfigured('clientSecret is missing');
  if (scopes.length < 1 || scopes.length > MAX_SCOPES) {
    throw misconfigured(`scopes must name 1 to ${MAX_SCOPES} scopes`);
  }
  if (scopes.join(' ').length > MAX_SCOPE_LENGTH) {
    throw misconfigured(`scopes are longer than ${MAX_SCOPE_LENGTH} characters`);
  }
  const base = baseUrl === undefined ? BASE_URL : parseServerRoot(baseUrl, 'baseUrl');
  const authentication = `${base}/authentication/v2`;
  const userinfoEndpoint = base === BASE_URL ? USERINFO_ENDPOINT : `${base}/userinfo`;
  return {
    id: 'aps',
    grant: isService ? 'client_credentials' : 'authorization_code',
    ...client,
    redirect,
    server: base,
    metadata: {
      authorizationEndpoint: `${authentication}/authorize`,
      tokenEndpoint: `${authentication}/token`,
      revocationEndpoint: `${authentication}/revoke`,
      userinfoEndpoint,
    },
    dialect: { basicCredentials: 'as they are', fewerScopes: 'offered' },
    protocol: { refusal },
    hints,
    apiFailure: (failure) => apiFailure(failure, hints),
    api({ connect, secrets, askIdentity }) {
      const request = connect(base);
      const userinfo = connect(userinfoEndpoint);
      const list = (pathOf: () => string, how?: ApsListOptions) =>
        listing(() =>
          linkedPages(request, `${base}/${pathOf()}`, how, hints('forbidden', 'api', 403), secrets),
        );
      const hub = (id: string) => `project/v1/hubs/${pathSegment(id)}`;
      return {
        request,
        async userInfo({ signal } = {}) {
          if (isService) throw misconfigured('there is no user without a sign-in');
          const tell = askIdentity();
          const user = Object(await (await userinfo({ path: '', signal })).json());
          tell(user.sub);
          return user;
        },
        hubs: (how) => list(() => 'project/v1/hubs', how),
        projects: (hubId, how) => list(() => `${hub(hubId)}/projects`, how),
        topFolders: (hubId, projectId, how) =>
          list(() => `${hub(hubId)}/projects/${pathSegment(projectId)}/topFolders`, how),
        folderContents: (projectId, folderId, how) =>
          list(
            () =>
              `data/v1/projects/${pathSegment(projectId)}/folders/${pathSegment(folderId)}/contents`,
            how,
          ),
      };
    },
    async displayName(api) {
      if (isService) return null;
      const { name, preferred_username: userName } = await api.userInfo();
      const shown = name ?? userName;
      return typeof shown === 'string' ? shown : null;
    },
  };
}
