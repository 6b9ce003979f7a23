import { quietly } from '../http/quietly.js';
import type { Context } from './context.js';
import { adopt, isForgotten, peek, signedInState, wasReplaced } from './held-session.js';
import { leave } from './renewal-failure.js';

/**
 * Looks at what another process may have stored since, and takes it over: its sign-in, its renewal, its
 * sign-out. Whatever is under way here looks for itself.
 */
export async function notice(context: Context): Promise<void> {
  const { generation, held, machine } = context;
  if (!isAtRest(context)) return;
  const stored = await peek(context);
  const isLate = context.generation !== generation || context.held !== held || !isAtRest(context);
  if (isLate || stored === undefined || stored === 'unreadable') return;
  if (!wasReplaced(context, stored)) return;
  if (!stored) return leave(context, 'sessionGone', 'signedOut');
  if (isForgotten(context, stored)) return;
  adopt(context, stored);
  if (!context.held) return;
  context.failures = 0;
  const next = signedInState(context, context.held);
  machine.dispatch(held ? 'sessionRenewed' : 'sessionFound', next);
}

const isAtRest = ({ machine, renewing, signingOut, held }: Context): boolean =>
  /^(signedIn|degraded|signedOut)$/.test(machine.state.name) &&
  !renewing &&
  !signingOut &&
  // Tokens that the store does not have yet are compared when they are saved.
  !held?.unsaved;

/** Notices what others store from now on, where the store can tell. Ends with the session. */
export function watch(context: Context): void {
  const { host, key, inFlight } = context;
  let isLooking = false;
  let isChanged = false;
  const look = async () => {
    isChanged = true;
    if (isLooking) return;
    isLooking = true;
    while (isChanged && !inFlight.isClosed) {
      isChanged = false;
      await notice(context);
    }
    isLooking = false;
  };
  const start = () => {
    const stop = quietly(host.store.watch?.(key, quietly(look)) ?? (() => {}));
    inFlight.stops.add(stop);
  };
  if (!inFlight.isClosed) quietly(start)();
}
