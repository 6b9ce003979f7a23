import { base64url } from '../oauth/base64url.js';
import { accountNumber, type Context } from './context.js';
import { peek, recognise, retell, wasReplaced } from './held-session.js';
import { notice } from './notice.js';
import { randomText } from '../oauth/pkce.js';

/** How long noting the user waits for others to be done with the store. */
const LOCK_TIMEOUT_MS = 5_000;

/**
 * Says who is signed in: asked before the platform is, told when it has answered. Somebody else than at the
 * sign-in is flagged in the state; only the next sign-in here takes the flag away.
 *
 * Kept as a digest, for what the store holds is to name nobody.
 */
export function askIdentity(context: Context): (...who: readonly unknown[]) => void {
  const account = accountNumber(context);
  const compare = async (who: readonly unknown[]) => {
    if (!who.every((part) => typeof part === 'string' && part)) return;
    const bytes = new TextEncoder().encode(JSON.stringify(who));
    const digest = await context.host.crypto.sha256(bytes);
    const identity = base64url(digest).slice(0, 22);
    const { held } = context;
    if (!held || accountNumber(context) !== account || context.inFlight.isClosed) return;
    const wasChanged = context.isUserChanged;
    recognise(context, identity);
    if (context.isUserChanged && !wasChanged) retell(context, 'userChanged');
    if (held.identity === null && !context.isUserChanged) await note(context, identity);
  };
  return (...who) => {
    const noting = compare(who).catch(() => {});
    context.noting = Promise.all([context.noting, noting]).then(() => {});
  };
}

/** Keeps it with the tokens, so that the next process compares, too. */
async function note(context: Context, identity: string): Promise<void> {
  const { host, key, lock, store, generation } = context;
  await lock(key, LOCK_TIMEOUT_MS, async (isHeld) => {
    const { held } = context;
    // Without it somebody's renewal could be replaced by what was there before.
    if (!isHeld) return;
    // Whatever is under way saves tokens of its own; the answer to the next question is noted.
    if (!held || held.identity !== null || held.unsaved || context.renewing) return;
    const stored = await peek(context);
    if (!stored || stored === 'unreadable' || wasReplaced(context, stored)) return;
    if (context.held !== held) return;
    const revision = randomText(host.crypto);
    const next = { ...held, identity, revision, storedRevision: revision };
    await store.save(next);
    if (context.held === held && context.generation === generation) context.held = next;
  });
  // What was found there instead is news.
  await notice(context);
}
