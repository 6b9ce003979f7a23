import { MortiseError, misconfigured } from '../errors.js';
import { checkClient } from '../oauth/client-options.js';
import { checkEndpoint, checkRedirectUris } from '../oauth/endpoint.js';
import { discoverMetadata } from '../oauth/metadata.js';
import type { ApiSend, Provider, ServerMetadata } from '../oauth/provider.js';
import type { RedirectRule } from '../ports/index.js';

/** @module Any server that follows the standards: RFC 6749, 7636, 8414, 9207 and OpenID Connect Discovery. */

interface CommonOptions {
  readonly clientId: string;
  /** For a confidential client (RFC 6749 section 2.1). Refused where it cannot be kept. */
  readonly clientSecret?: string;
  readonly scopes?: readonly string[];
  /** Default: any port of `http://127.0.0.1`, path `/callback`. */
  readonly redirect?: RedirectRule;
  /** What `api.request` paths are appended to. */
  readonly apiBaseUrl?: string;
  /** More parameters for the authorization request, such as `prompt`. */
  readonly authorizationParameters?: Readonly<Record<string, string>>;
}

/** The server describes itself. */
export interface DiscoveredOptions extends CommonOptions {
  /** Exactly as the server spells it. */
  readonly issuer: string;
  /** Hosts, with their port if it is not the usual one, where endpoints may be beside the issuer's own. */
  readonly endpointHosts?: readonly string[];
}

/** The server is described here. */
export interface FixedOptions extends CommonOptions {
  readonly authorizationEndpoint: string;
  readonly tokenEndpoint: string;
  readonly revocationEndpoint?: string;
  /** RFC 8628, for `deviceUserAgent`. */
  readonly deviceAuthorizationEndpoint?: string;
  /** Named by servers that send `iss` (RFC 9207): a redirect of any other is then refused. */
  readonly issuer?: string;
}

export interface OAuthApi {
  readonly request: ApiSend;
  /** OpenID Connect Core section 5.3. @throws {MortiseError} `configuration_error` where the server has none. */
  userInfo(options?: { signal?: AbortSignal }): Promise<Readonly<Record<string, unknown>>>;
}

export function oauth(options: DiscoveredOptions | FixedOptions): Provider<OAuthApi> {
  const { redirect, apiBaseUrl, authorizationParameters } = options;
  const client = checkClient(options);
  if (apiBaseUrl !== undefined) checkEndpoint(apiBaseUrl, 'apiBaseUrl');
  if (redirect !== undefined) checkRedirect(redirect);
  const isFixed = 'tokenEndpoint' in options || 'authorizationEndpoint' in options;
  const fixed = isFixed ? readFixed(options) : undefined;
  const issuer = fixed ? '' : checkEndpoint(options.issuer, 'issuer');
  if (issuer.includes('?')) throw misconfigured('issuer has a query');
  const { endpointHosts } = options as Partial<DiscoveredOptions>;

  return {
    id: 'oauth',
    grant: 'authorization_code',
    ...client,
    redirect: redirect ?? { loopback: '127.0.0.1', path: '/callback', ports: 'any' },
    server: fixed?.tokenEndpoint ?? issuer,
    metadata: fixed ?? ((readDocument) => discoverMetadata(issuer, readDocument, endpointHosts)),
    dialect: { fewerScopes: 'offered' },
    ...(authorizationParameters && { authorizationParameters }),
    api({ connect, metadata, askIdentity }) {
      const request = connect(async () => {
        if (apiBaseUrl === undefined) throw misconfigured('api.request needs apiBaseUrl');
        return apiBaseUrl;
      });
      const userinfo = connect(async () => {
        const { userinfoEndpoint } = await metadata();
        if (!userinfoEndpoint) throw misconfigured('the server has no userinfo endpoint');
        return userinfoEndpoint;
      });
      return {
        request,
        async userInfo({ signal } = {}) {
          const tell = askIdentity();
          const user = Object(await (await userinfo({ path: '', signal })).json());
          tell(user.sub);
          return user;
        },
      };
    },
  };
}

function readFixed(options: FixedOptions): ServerMetadata {
  const { issuer, revocationEndpoint, deviceAuthorizationEndpoint } = options;
  return {
    ...(issuer !== undefined && { issuer }),
    authorizationEndpoint: checkEndpoint(options.authorizationEndpoint, 'authorizationEndpoint'),
    tokenEndpoint: checkEndpoint(options.tokenEndpoint, 'tokenEndpoint'),
    revocationEndpoint:
      revocationEndpoint && checkEndpoint(revocationEndpoint, 'revocationEndpoint'),
    deviceAuthorizationEndpoint:
      deviceAuthorizationEndpoint &&
      checkEndpoint(deviceAuthorizationEndpoint, 'deviceAuthorizationEndpoint'),
  };
}

function checkRedirect(redirect: RedirectRule): void {
  if (Array.isArray(redirect)) return void checkRedirectUris(redirect);
  const { loopback, path, ports } = Object(redirect) as Record<string, unknown>;
  const isPort = (port: unknown) =>
    Number.isInteger(port) && Number(port) > 0 && Number(port) < 65_536;
  const isRule =
    /^(127\.0\.0\.1|localhost)$/.test(String(loopback)) &&
    typeof path === 'string' &&
    /^(\/.*)?$/.test(path) &&
    (ports === 'any' || (Array.isArray(ports) && ports.length > 0 && ports.every(isPort)));
  if (isRule) return;
  const problem = 'redirect must be a list of addresses, or { loopback, path, ports }';
  throw new MortiseError('configuration_error', { problem });
}
