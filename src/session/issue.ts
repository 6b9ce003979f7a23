import type { MortiseError } from '../errors.js';
import type { Fields } from '../oauth/provider.js';
import type { Context } from './context.js';
import { forgetUser, fromAnswer, signedInState } from './held-session.js';

/** How long saving waits for a refresh of the former session to be out of the way. */
const LOCK_TIMEOUT_MS = 5_000;

/**
 * Exchanges a grant and makes the answer the session, whoever was signed in before.
 *
 * @returns Whether it is the session now: not when the sign-in or the user has left meanwhile.
 * @param mayCommit Asked once, when the tokens are here: `false` if the sign-in has ended meanwhile.
 * @throws {MortiseError} Why there is no session. Tokens that are not kept are revoked.
 */
export async function issue(
  context: Context,
  grant: Fields,
  mayCommit: () => boolean,
): Promise<boolean> {
  const { endpoint, store, lock, machine, key, account, generation } = context;
  const issued = await endpoint.request('exchange', grant);
  const isLate = () => context.generation !== generation;
  const refuse = () => endpoint.revoke(issued).then(() => false);
  if (isLate() || !mayCommit()) return refuse();
  const fresh = fromAnswer(context, issued, null);
  /** A store may fail after it has written: what is revoked must not be found there. */
  const undo = async (error: unknown) => {
    const { held } = context;
    const isThere = (await store.glance().catch(() => null))?.revision === fresh.revision;
    if (isThere) await (held ? store.save(held) : store.removeIf(fresh.revision)).catch(() => {});
    throw error;
  };
  try {
    await lock(key, LOCK_TIMEOUT_MS, async () => {
      if (isLate()) return;
      await store.enlist(account);
      await store.save(fresh).catch(undo);
    });
  } catch (error) {
    void endpoint.revoke(issued);
    throw error;
  }
  // Signed out while it was being saved: the removal waits its turn behind the save.
  if (isLate()) return refuse();
  // From here on every answer to a request of the former session is late.
  context.generation += 1;
  context.held = { ...fresh, storedRevision: fresh.revision };
  forgetUser(context);
  context.failures = 0;
  context.forgotten = null;
  context.pause = null;
  context.narrowed.clear();
  context.unobtainable.clear();
  const next = signedInState(context, context.held);
  // A save so slow that a later sign-in has failed meanwhile finds the state where that one left it.
  machine.dispatch('refreshDue', { name: 'refreshing' });
  if (!machine.dispatch('tokensIssued', next)) machine.dispatch('sessionFound', next);
  return true;
}

/** @see RFC 6749 section 4.1.3, RFC 7636 section 4.5 */
export const codeGrant = (
  code: string,
  { redirectUri, codeVerifier }: { readonly redirectUri: string; readonly codeVerifier: string },
): Fields => ({
  grant_type: 'authorization_code',
  code,
  redirect_uri: redirectUri,
  code_verifier: codeVerifier,
});

/** @see RFC 8628 section 3.4 */
export const deviceGrant = (deviceCode: string): Fields => ({
  grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
  device_code: deviceCode,
});

/** A sign-in that failed leaves things as they were: signed in, if one was. */
export function backToBefore(context: Context, error: MortiseError): void {
  const { machine, held, reason } = context;
  if (held) machine.dispatch('sessionKept', signedInState(context, held), error);
  else machine.dispatch('signInFailed', { name: 'signedOut', reason }, error);
}
