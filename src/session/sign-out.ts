import { MortiseError, isMortiseError } from '../errors.js';
import type { Context } from './context.js';
import { restore } from './restore.js';

/**
 * Forgets the account here, whatever is under way, and then tells the server if it can be told. What
 * arrives later is revoked, not kept.
 */
export function signOut(context: Context): Promise<void> {
  if (context.inFlight.isClosed) return Promise.reject(new MortiseError('aborted', {}));
  context.signOuts += 1;
  context.signingOut ??= run(context).finally(() => (context.signingOut = null));
  return context.signingOut;
}

async function run(context: Context): Promise<void> {
  const { machine, store, endpoint, attempt } = context;
  // Only to have something to revoke; a store that cannot be read does not stop a sign-out.
  await restore(context).catch(() => {});
  const { held } = context;
  context.generation += 1;
  context.held = null;
  context.attempt = null;
  machine.dispatch('signOutRequested', { name: 'signingOut' });
  attempt?.end(new MortiseError('sign_in_cancelled', {}));
  const removals = await Promise.allSettled([store.remove(), store.removeAttempts()]);
  const failure = removals.find((removal) => removal.status === 'rejected')?.reason as unknown;
  context.reason = 'signedOut';
  machine.dispatch(
    'signOutCompleted',
    { name: 'signedOut', reason: 'signedOut' },
    isMortiseError(failure) ? failure : undefined,
  );
  if (held) await endpoint.revoke(held);
}
