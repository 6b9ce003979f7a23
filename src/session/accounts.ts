import { isMortiseError } from '../errors.js';
import type { PlatformApi, Provider } from '../oauth/provider.js';
import type { Host } from '../ports/index.js';
import { createSession } from './create-session.js';
import { DEFAULT_ACCOUNT, accountKey, accountsKey } from './keys.js';
import { createOwnLock } from './own-lock.js';
import { createSessionStore, isReset } from './session-store.js';

export interface AccountsOptions {
  readonly host: Host;
  readonly provider: Provider;
}

/**
 * The accounts of an app that are signed in: what `createSession` takes as `account`. No network.
 *
 * @throws {MortiseError} `store_unavailable`.
 */
export async function listAccounts({
  host,
  provider,
}: AccountsOptions): Promise<readonly string[]> {
  const lock = createOwnLock(host.lock);
  const storeOf = (account: string) =>
    createSessionStore({ ...host, lock }, accountKey(provider, account), accountsKey(provider));
  const found: string[] = [];
  for (const account of new Set([DEFAULT_ACCOUNT, ...(await storeOf('').names())])) {
    const stored = await storeOf(account).load().catch(unlessDamaged);
    if (stored) found.push(account);
  }
  return found;
}

function unlessDamaged(error: unknown): null {
  if ((isMortiseError(error) && error.code === 'store_damaged') || isReset(error)) return null;
  throw error;
}

/**
 * Signs an account out, here and at the server, whether or not a session of it is open.
 *
 * @throws {MortiseError} `store_unavailable`, when it is still there.
 */
export async function removeAccount<Api extends PlatformApi>(options: {
  readonly host: Host;
  readonly provider: Provider<Api>;
  readonly account: string;
}): Promise<void> {
  const session = createSession(options);
  let failure: unknown;
  session.onChange(({ event, error }) => {
    if (event === 'signOutCompleted') failure = error;
  });
  await session.signOut().finally(session.close);
  if (failure) throw failure;
}
