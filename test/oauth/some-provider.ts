import { oauth } from '../../src/providers/oauth.js';
import { prevu3d } from '../../src/providers/prevu3d.js';
import type { Provider } from '../../src/oauth/provider.js';

export const AUTHORIZE = 'https://as.example/authorize';
export const TOKEN_URL = 'https://as.example/token';

/** A provider without departures from the RFCs, but for what `changes` says. */
export function standard(changes: Partial<Provider> = {}): Provider {
  const provider = oauth({
    clientId: 'plug-in',
    scopes: ['openid', 'data:read'],
    authorizationEndpoint: AUTHORIZE,
    tokenEndpoint: TOKEN_URL,
  });
  return { ...(provider as unknown as Provider), ...changes };
}

export const nativePrevu3d = prevu3d({
  clientId: 'native-app',
  scopes: ['read:basic', 'read:hierarchy'],
}) as unknown as Provider;

/** For `toThrow` and `rejects.toThrow`: one of ours, with this code. */
export const ours = (code: string, more: Readonly<Record<string, unknown>> = {}): Error =>
  expect.objectContaining({ name: 'MortiseError', code, ...more });
