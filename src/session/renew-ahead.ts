import { accessToken } from './access-token.js';
import { inBackground } from './background.js';
import type { Context } from './context.js';
import { remainingMs } from './held-session.js';

/** A machine that slept, or a page whose timers are throttled, looks again within this. */
const LOOK_AGAIN_MS = 60_000;
/** After a failure, at the least. */
const SHORTEST_MS = 1_000;

/**
 * Renews before somebody asks, so that nobody waits. Nothing depends on it: a timer that never fires only
 * leaves the renewal to the next use.
 *
 * @param aheadMs Before the token ends; of a token that lives shorter than twice that, half its life.
 */
export function renewAhead(context: Context, aheadMs: number): void {
  const { host, machine, inFlight } = context;
  const { clock } = host;
  let stopTimer = () => {};
  const plan = () => {
    stopTimer();
    const { held } = context;
    const { state } = machine;
    if (inFlight.isClosed || !held || held.lifetimeMs === null || held.refreshToken === null)
      return;
    const marginMs = Math.min(aheadMs, held.lifetimeMs / 2);
    const leftMs = remainingMs(held, clock) - marginMs;
    const degradedMs = state.name === 'degraded' ? state.retryAtMs - clock.nowMs() : 0;
    const pauseMs = (context.pause?.untilMs ?? 0) - clock.monotonicMs();
    const waitMs = Math.max(leftMs, degradedMs, pauseMs);
    const renewNow = () => {
      if (machine.state.name !== 'signedIn' && machine.state.name !== 'degraded') return;
      if (remainingMs(held, clock) > marginMs || context.held !== held) return plan();
      accessToken(context, { minValidityMs: marginMs }).catch(plan);
    };
    const delayMs = Math.min(Math.max(waitMs, SHORTEST_MS), LOOK_AGAIN_MS);
    stopTimer = inBackground(clock, delayMs, renewNow);
  };
  machine.onChange(plan);
  inFlight.stops.add(() => stopTimer());
  plan();
}
