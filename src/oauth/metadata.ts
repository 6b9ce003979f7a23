import { MortiseError } from '../errors.js';
import { isSecure, parseUrl } from './endpoint.js';
import type { ReadDocument, ServerMetadata } from './provider.js';

/**
 * The two places where a server may describe itself: OpenID Connect Discovery section 4 appends to the
 * issuer, RFC 8414 section 3.1 inserts between host and path.
 */
function wellKnownUrls(issuer: string): readonly string[] {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, '');
  return [
    `${origin}${path}/.well-known/openid-configuration`,
    `${origin}/.well-known/oauth-authorization-server${path}`,
  ];
}

/**
 * Asks a server to describe itself, and believes it only about itself: the issuer must be the one asked
 * for, character by character, and endpoints on other hosts are refused unless `endpointHosts` names them.
 *
 * @throws {MortiseError} `discovery_failed`; `network_error`, `timeout`, `aborted` as they come.
 * @see RFC 8414 sections 3 and 3.3
 */
export async function discoverMetadata(
  issuer: string,
  readDocument: ReadDocument,
  endpointHosts: readonly string[] = [],
): Promise<ServerMetadata> {
  let failure = new MortiseError('discovery_failed', { issuer, problem: 'no metadata was found' });
  // RFC 8414 section 2: an issuer has neither, and the places to ask have no room for them.
  if (/[?#]/.test(issuer)) throw failure;
  for (const url of wellKnownUrls(issuer)) {
    const { status, json } = await readDocument(url);
    if (status === 200) return readMetadata(issuer, json, endpointHosts);
    failure = new MortiseError(
      'discovery_failed',
      { issuer, status, problem: 'no metadata was found' },
      { retryable: status >= 500 || status === 429 },
    );
    // Only "not here" sends us to the second place; anything else would be asked twice for nothing.
    if (status !== 404) break;
  }
  throw failure;
}

/** @see RFC 8414 section 2, RFC 9207 section 3 */
export function readMetadata(
  issuer: string,
  json: unknown,
  endpointHosts: readonly string[],
): ServerMetadata {
  const fail = (problem: string) => new MortiseError('discovery_failed', { issuer, problem });
  if (json === null || typeof json !== 'object') throw fail('it is not JSON');
  const metadata = json as Readonly<Record<string, unknown>>;
  if (metadata['issuer'] !== issuer) throw fail('its issuer is another one');

  const hosts = [new URL(issuer).host, ...endpointHosts.map((host) => host.toLowerCase())];
  const endpoint = (name: string) => {
    const value = metadata[name];
    if (value === undefined || value === null) return undefined;
    const url = typeof value === 'string' ? parseUrl(value) : undefined;
    if (!url || !isSecure(url) || !hosts.includes(url.host)) {
      throw fail(`its ${name} is not an https address on the issuer’s host`);
    }
    return url.href;
  };
  const required = (name: string) => {
    const url = endpoint(name);
    if (url === undefined) throw fail(`it has no ${name}`);
    return url;
  };
  const list = (name: string) =>
    Array.isArray(metadata[name]) ? (metadata[name] as unknown[]) : null;

  const methods = list('code_challenge_methods_supported');
  if (methods && !methods.includes('S256')) throw fail('it does not offer PKCE with S256');
  const authentication = list('token_endpoint_auth_methods_supported');
  const isPostOnly =
    authentication?.includes('client_secret_post') &&
    !authentication.includes('client_secret_basic');
  return {
    issuer,
    authorizationEndpoint: required('authorization_endpoint'),
    tokenEndpoint: required('token_endpoint'),
    // Autodesk's documents spell it in two ways.
    revocationEndpoint: endpoint('revocation_endpoint') ?? endpoint('revoke_endpoint'),
    userinfoEndpoint: endpoint('userinfo_endpoint'),
    deviceAuthorizationEndpoint: endpoint('device_authorization_endpoint'),
    iss:
      metadata['authorization_response_iss_parameter_supported'] === true ? 'required' : 'optional',
    clientAuthentication: isPostOnly ? 'post' : 'basic',
  };
}
