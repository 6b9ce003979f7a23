import { misconfigured } from '../errors.js';
import type { Provider } from '../oauth/provider.js';

// The format's version is part of every key: an older library never touches a newer one's records.

/** The account of an app that has only one. It is on no list, for it is known anyway. */
export const DEFAULT_ACCOUNT = 'default';

type App = Pick<Provider, 'id' | 'server' | 'clientId' | 'grant'>;

/** One account's name in the store, and of its lock. */
export function accountKey(app: App, account: string): string {
  const { id, server, clientId, grant } = app;
  const parts = [id, server, clientId, account];
  // One client may have both: what the app may do is nothing a user signed in for.
  if (grant !== 'authorization_code') parts.push(grant);
  return `mortise/1/${parts.map(encodePart).join('/')}`;
}

/** Where the names of an app's accounts are listed. */
export const accountsKey = ({ id, server, clientId, grant }: App): string =>
  `mortise/1-accounts/${[id, server, clientId, grant].map(encodePart).join('/')}`;

/** @throws {MortiseError} `configuration_error` for half a surrogate pair. */
export function encodePart(part: string): string {
  try {
    return encodeURIComponent(part);
  } catch {
    throw misconfigured('account is not well-formed text');
  }
}
