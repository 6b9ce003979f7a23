import { MortiseError } from '../errors.js';
import type { Provider, ServerMetadata } from './provider.js';

export interface AuthorizationRequest {
  readonly redirectUri: string;
  readonly state: string;
  readonly codeChallenge: string;
  /** Random, and used nowhere else. */
  readonly nonce: string;
}

/**
 * The address that asks the user for an authorization code.
 *
 * @throws {MortiseError} `configuration_error` when a further parameter would replace one of the protocol's.
 * @see RFC 6749 section 4.1.1, RFC 7636 section 4.3
 */
export function buildAuthorizationUrl(
  provider: Provider,
  metadata: ServerMetadata,
  request: AuthorizationRequest,
): string {
  const { clientId, scopes, dialect, authorizationParameters, protocol } = provider;
  const { redirectUri, state, codeChallenge, nonce } = request;
  if (protocol?.authorizationUrl) return protocol.authorizationUrl(request, metadata);
  const url = new URL(metadata.authorizationEndpoint);
  const query = url.searchParams;
  const add = (name: string, value: string) => {
    if (query.has(name)) {
      throw new MortiseError('configuration_error', {
        problem: `the authorization parameter ${name} cannot be set`,
      });
    }
    query.append(name, value);
  };
  add('response_type', 'code');
  add('client_id', clientId);
  add('redirect_uri', redirectUri);
  if (dialect.scopeParameter === 'scopes repeated') {
    for (const scope of scopes) query.append('scopes', scope);
  } else if (scopes.length > 0) {
    add('scope', scopes.join(' '));
  }
  add('code_challenge', codeChallenge);
  add('code_challenge_method', 'S256');
  add('state', state);
  // Asked for by some servers (OpenID Connect Core section 3.1.2.1), though no ID token is read here.
  if (scopes.includes('openid')) add('nonce', nonce);
  for (const [name, value] of Object.entries(authorizationParameters ?? {})) add(name, value);
  // A space is %20 everywhere, but + only to those who know forms; a real + is %2B by now.
  url.search = query.toString().replace(/\+/g, '%20');
  return url.href;
}
