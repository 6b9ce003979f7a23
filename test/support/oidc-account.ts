import type { DiscoveredOptions } from '../../src/providers/oauth.js';
import { startOidcServers } from './oidc-process.js';

export interface OidcAccount {
  /** For `oauth`, here and in workers. The API is the server's own: path `me`. */
  readonly provider: DiscoveredOptions;
  /** Where the server listens, whatever stands before it. */
  readonly address: string;
  /** How many refresh requests it has seen. */
  refreshes(): Promise<{ readonly granted: number; readonly refused: number }>;
  /** From now on it refuses the access tokens that are out. */
  expireAccess(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * A certified server that takes a refresh token once, and ends everything when it comes twice.
 *
 * @param issuer Where it is reached, when something stands before it.
 */
export async function oidcAccount(issuer?: string): Promise<OidcAccount> {
  const servers = await startOidcServers(issuer);
  const ask = async (what: string) =>
    (await fetch(`${servers.address}/of-the-test/${what}`)).json();
  return {
    provider: {
      issuer: servers.issuer,
      clientId: servers.clients.native.client_id,
      scopes: ['openid', 'email', 'offline_access'],
      // OpenID Connect Core section 11: a refresh token is only given when the user is asked.
      authorizationParameters: { prompt: 'consent' },
      apiBaseUrl: servers.issuer,
    },
    address: servers.address,
    refreshes: () => ask('refreshes') as Promise<{ granted: number; refused: number }>,
    expireAccess: async () => void (await ask('expire')),
    stop: servers.stop,
  };
}
