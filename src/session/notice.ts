import { MortiseError } from '../errors.js';
import { quietly } from '../http/quietly.js';
import { DAMAGED, EVERYTHING, type Context } from './context.js';
import {
  SAVE_AGAIN_MS,
  adopt,
  isForgotten,
  peek,
  signedInState,
  wasReplaced,
} from './held-session.js';
import { saveLater } from './renew.js';
import { leave } from './renewal-failure.js';

/**
 * Looks at what another process may have stored since, and takes it over: its sign-in, its renewal, its
 * sign-out. Whatever is under way here looks for itself.
 *
 * @returns Whether it has seen what there is: not when something began here meanwhile.
 */
export async function notice(context: Context): Promise<boolean> {
  const { generation, held, machine } = context;
  if (!isAtRest(context)) return false;
  const stored = await peek(context);
  const isLate = context.generation !== generation || context.held !== held || !isAtRest(context);
  if (isLate) return false;
  if (stored === 'unreadable') return true;
  if (stored === undefined) {
    mend(context);
    return true;
  }
  // What could not be read when somebody signed out is not there, so what comes is new.
  if (!stored && context.forgotten === EVERYTHING) context.forgotten = null;
  if (!wasReplaced(context, stored)) return true;
  if (!stored) {
    leave(context, 'sessionGone', 'signedOut');
    return true;
  }
  if (isForgotten(context, stored)) return true;
  adopt(context, stored);
  if (!context.held) return true;
  context.failures = 0;
  const next = signedInState(context, context.held);
  machine.dispatch(held ? 'sessionRenewed' : 'sessionFound', next);
  return true;
}

const isAtRest = ({ machine, renewing, signingOut, held, inFlight }: Context): boolean =>
  /^(signedIn|degraded|signedOut)$/.test(machine.state.name) &&
  !inFlight.isClosed &&
  !renewing &&
  !signingOut &&
  // Tokens that the store does not have yet are compared when they are saved.
  !held?.unsaved;

/** The stored record is damaged, and was set aside: what is held takes its place, in a while. */
function mend(context: Context): void {
  const { held, host, machine } = context;
  if (!held) return;
  const error = new MortiseError('store_damaged', {});
  const unsaved = { error, againAtMs: host.clock.monotonicMs() + SAVE_AGAIN_MS };
  context.held = { ...held, storedRevision: DAMAGED, unsaved };
  machine.amend(signedInState(context, context.held));
  saveLater(context);
}

/** Notices what others store from now on, where the store can tell. Ends with the session. */
export function watch(context: Context): void {
  const { host, key, inFlight, machine } = context;
  let isLooking = false;
  let isDue = false;
  const look = async () => {
    if (isLooking) return;
    isLooking = true;
    while (isDue && isAtRest(context)) {
      isDue = false;
      const hasSeen = await notice(context);
      isDue ||= !hasSeen;
    }
    isLooking = false;
  };
  const changed = () => {
    isDue = true;
    void look();
  };
  context.atRest = () => void look();
  machine.onChange(context.atRest);
  const start = () => {
    const stop: unknown = host.store.watch?.(key, quietly(changed));
    if (typeof stop === 'function') inFlight.stops.add(quietly(stop as () => void));
    return stop;
  };
  if (!inFlight.isClosed) quietly(start)();
}
