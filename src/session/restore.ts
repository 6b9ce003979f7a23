import { isMortiseError } from '../errors.js';
import { isReset } from './session-store.js';
import type { Context } from './context.js';
import { fromStore, isForgotten, recognise, signedInState } from './held-session.js';

/**
 * Reads the account from the store, once. A damaged record is an account that is not signed in.
 *
 * @throws {MortiseError} `store_unavailable`; the next call tries again.
 */
export function restore(context: Context): Promise<void> {
  context.restored ??= load(context);
  return context.restored;
}

async function load(context: Context): Promise<void> {
  const { machine, store, generation } = context;
  machine.dispatch('restoreRequested', { name: 'restoring' });
  try {
    const found = await store.load();
    const stored = found && !isForgotten(context, found) ? found : null;
    // Signed in or out meanwhile: what was in the store before is history.
    if (context.generation !== generation) return;
    context.held = stored && fromStore(stored, context.host.clock);
    if (context.held) {
      recognise(context, context.held.identity);
      machine.dispatch('sessionFound', signedInState(context, context.held));
    } else machine.dispatch('sessionAbsent', { name: 'signedOut', reason: context.reason });
  } catch (error) {
    if (!isMortiseError(error)) throw error;
    // Nobody will ever read it again, either way.
    if (error.code === 'store_damaged' || isReset(error)) {
      if (context.generation !== generation) return;
      context.reason = 'damaged';
      machine.dispatch('sessionAbsent', { name: 'signedOut', reason: 'damaged' }, error);
      return;
    }
    context.restored = null;
    machine.dispatch('storeFailed', { name: 'idle' }, error);
    throw error;
  }
}
