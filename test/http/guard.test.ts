import { getEventListeners } from 'node:events';
import { inspect } from 'node:util';
import { MortiseError } from '../../src/errors.js';
import { abortable, createGuard, createInFlight, pause, stopAll } from '../../src/http/guard.js';
import { createFakeClock, settle } from '../support/fake-clock.js';

const never = () => new Promise<never>(() => {});
const ours = (code: string, more: object = {}) => ({ name: 'MortiseError', code, ...more });

function setup(timeoutMs = 1_000) {
  const clock = createFakeClock();
  const inFlight = createInFlight();
  const caller = new AbortController();
  const { signal } = caller;
  const guard = createGuard({ clock, timeoutMs, host: 'as.example', signal, inFlight });
  return {
    clock,
    inFlight,
    caller,
    guard,
    /** What a wait holds: a timer, the caller's ear, a place among those to be stopped. */
    held: () => [clock.pending, getEventListeners(signal, 'abort').length, inFlight.stops.size],
  };
}
const NOTHING = [0, 0, 0];

/** How a promise ended, asked without waiting for it. */
function outcome(promise: Promise<unknown>): () => unknown {
  let ended: unknown = 'pending';
  promise.then(
    (value) => (ended = value),
    (error: unknown) => (ended = error),
  );
  return () => ended;
}

describe('a wait', () => {
  test('gives what the promise gives, and holds nothing afterwards', async () => {
    const { guard, held } = setup();
    const waiting = guard.wait(Promise.resolve('value'));
    expect(held()).toEqual([1, 1, 1]);
    expect(await waiting).toBe('value');
    expect(held()).toEqual(NOTHING);
    expect(guard.signal.aborted).toBe(false);
  });

  test('one of our errors comes through as it is', async () => {
    const { guard, held } = setup();
    const error = new MortiseError('malformed_response', { problem: 'it is too long' });
    await expect(guard.wait(Promise.reject(error))).rejects.toBe(error);
    expect(held()).toEqual(NOTHING);
    expect(guard.signal.aborted).toBe(true);
  });

  // prettier-ignore
  test.each<[name: string, foreign: unknown]>([
    ['an Error',           new Error('canary', { cause: { body: 'canary' } })],
    ['an AggregateError',  new AggregateError([new Error('canary')], 'canary')],
    ['text',               'canary'],
    ['an object',          { message: 'canary', toString: () => 'canary' }],
    ['nothing',            undefined],
    ['null',               null],
  ])('case 198: a rejection with %s becomes network_error, without a word of it', async (_, foreign) => {
    const { guard, held } = setup();
    const error = await guard.wait(Promise.reject(foreign)).catch((caught: unknown) => caught);
    expect(error).toMatchObject(ours('network_error', { details: { host: 'as.example' } }));
    expect(inspect(error, { depth: Infinity, showHidden: true })).not.toContain('canary');
    expect(held()).toEqual(NOTHING);
    expect(guard.signal.aborted).toBe(true);
  });

  test('case 116: a promise that never settles ends at the time limit, not before', async () => {
    const { clock, guard, held } = setup();
    const ended = outcome(guard.wait(never()));
    await clock.advance(999);
    expect(ended()).toBe('pending');
    expect(guard.signal.aborted).toBe(false);
    await clock.advance(1);
    expect(ended()).toMatchObject(
      ours('timeout', { retryable: true, details: { host: 'as.example', timeoutMs: 1_000 } }),
    );
    expect(guard.signal.aborted).toBe(true);
    expect(held()).toEqual(NOTHING);
  });

  test('a wall clock that jumps changes nothing', async () => {
    const { clock, guard } = setup();
    const ended = outcome(guard.wait(never()));
    clock.setWall(clock.nowMs() + 1e12);
    await clock.advance(999);
    expect(ended()).toBe('pending');
    clock.setWall(0);
    await clock.advance(1);
    expect(ended()).toMatchObject(ours('timeout'));
  });

  test('touch gives the whole limit again, as often as it is called', async () => {
    const { clock, guard, held } = setup();
    const ended = outcome(guard.wait(never()));
    for (let n = 0; n < 10; n += 1) {
      await clock.advance(999);
      guard.touch();
      expect(held()).toEqual([1, 1, 1]);
    }
    expect(ended()).toBe('pending');
    await clock.advance(1_000);
    expect(ended()).toMatchObject(ours('timeout'));
    expect(held()).toEqual(NOTHING);
  });

  test('touch does nothing before, between and after waits', async () => {
    const { clock, guard, held } = setup();
    guard.touch();
    await guard.wait(Promise.resolve());
    guard.touch();
    await guard.wait(Promise.reject(new Error())).catch(() => {});
    guard.touch();
    expect(held()).toEqual(NOTHING);
    await clock.advance(10_000);
  });

  test('every wait of a guard has its own limit', async () => {
    const { clock, guard, held } = setup();
    for (let n = 0; n < 3; n += 1) {
      let done = () => {};
      const ended = outcome(guard.wait(new Promise<void>((resolve) => (done = resolve))));
      await clock.advance(900);
      expect(ended()).toBe('pending');
      done();
      await settle();
      expect(ended()).toBeUndefined();
    }
    expect(held()).toEqual(NOTHING);
  });

  test('ends when its caller leaves', async () => {
    const { caller, guard, held } = setup();
    const ended = outcome(guard.wait(never()));
    caller.abort(new Error('canary'));
    await settle();
    expect(ended()).toMatchObject(ours('aborted'));
    expect(inspect(ended(), { depth: Infinity, showHidden: true })).not.toContain('canary');
    expect(guard.signal.aborted).toBe(true);
    expect(held()).toEqual(NOTHING);
  });

  test('ends at once when its caller has left before', async () => {
    const { caller, guard, held } = setup();
    caller.abort();
    await expect(guard.wait(never())).rejects.toMatchObject(ours('aborted'));
    expect(guard.signal.aborted).toBe(true);
    expect(held()).toEqual(NOTHING);
  });

  test('ends when everything is stopped, and so do those that come after', async () => {
    const { guard, inFlight, held } = setup();
    const ended = [guard, guard].map((each) => outcome(each.wait(never())));
    stopAll(inFlight);
    await settle();
    for (const end of ended) expect(end()).toMatchObject(ours('aborted'));
    expect(held()).toEqual(NOTHING);
    await expect(guard.wait(never())).rejects.toMatchObject(ours('aborted'));
    expect(held()).toEqual(NOTHING);
    expect(() => stopAll(inFlight)).not.toThrow();
  });

  test('case 202: what a promise does after its wait ended is nobody’s business', async () => {
    const { clock, guard, held } = setup();
    let resolve = (_: string) => {};
    let reject = (_: Error) => {};
    const one = outcome(guard.wait(new Promise<string>((done) => (resolve = done))));
    const two = outcome(guard.wait(new Promise<string>((_, fail) => (reject = fail))));
    await clock.advance(1_000);
    resolve('late');
    reject(new Error('late'));
    await settle();
    expect(one()).toMatchObject(ours('timeout'));
    expect(two()).toMatchObject(ours('timeout'));
    expect(held()).toEqual(NOTHING);
  });

  test('abort frees the socket', () => {
    const { guard } = setup();
    guard.abort();
    expect(guard.signal.aborted).toBe(true);
  });

  test('without a caller’s signal it is the same', async () => {
    const clock = createFakeClock();
    const inFlight = createInFlight();
    const guard = createGuard({ clock, inFlight, timeoutMs: 5, host: 'h' });
    const ended = outcome(guard.wait(never()));
    await clock.advance(5);
    expect(ended()).toMatchObject(ours('timeout'));
    expect([clock.pending, inFlight.stops.size]).toEqual([0, 0]);
  });
});

describe('a pause', () => {
  const begin = (ms: number) => {
    const parts = setup();
    const { clock, caller, inFlight } = parts;
    return { ...parts, ended: outcome(pause(ms, { clock, signal: caller.signal, inFlight })) };
  };

  test.each([0, 1, 60_000])('of %i ms is as long', async (ms) => {
    const { clock, ended, held } = begin(ms);
    if (ms > 0) await clock.advance(ms - 1);
    if (ms > 0) expect(ended()).toBe('pending');
    await clock.advance(1);
    expect(ended()).toBeUndefined();
    expect(held()).toEqual(NOTHING);
  });

  test('ends when its caller leaves', async () => {
    const { caller, ended, held } = begin(60_000);
    caller.abort();
    await settle();
    expect(ended()).toMatchObject(ours('aborted'));
    expect(held()).toEqual(NOTHING);
  });

  test('ends when everything is stopped', async () => {
    const { inFlight, ended, held } = begin(60_000);
    stopAll(inFlight);
    await settle();
    expect(ended()).toMatchObject(ours('aborted'));
    expect(held()).toEqual(NOTHING);
  });

  test('does not begin when its caller has left before', async () => {
    const { clock, caller, inFlight, held } = setup();
    caller.abort();
    const { signal } = caller;
    await expect(pause(60_000, { clock, signal, inFlight })).rejects.toMatchObject(ours('aborted'));
    expect(held()).toEqual(NOTHING);
  });
});

describe('case 167: one caller leaves, the others go on', () => {
  const listeners = (signal: AbortSignal) => getEventListeners(signal, 'abort').length;

  test('without a signal it is the promise itself', () => {
    const promise = Promise.resolve();
    expect(abortable(promise, undefined)).toBe(promise);
  });

  test('who stays gets the value, who left is told so, and nobody listens any more', async () => {
    const [staying, leaving] = [new AbortController(), new AbortController()];
    let done = (_: string) => {};
    const shared = new Promise<string>((resolve) => (done = resolve));
    const stayed = outcome(abortable(shared, staying.signal));
    const left = outcome(abortable(shared, leaving.signal));
    const cancelled = outcome(abortable(shared, leaving.signal, 'sign_in_cancelled'));
    leaving.abort();
    await settle();
    expect(left()).toMatchObject(ours('aborted'));
    expect(cancelled()).toMatchObject(ours('sign_in_cancelled'));
    expect(stayed()).toBe('pending');
    done('value');
    await settle();
    expect(stayed()).toBe('value');
    expect([staying, leaving].map(({ signal }) => listeners(signal))).toEqual([0, 0]);
  });

  test('a rejection is passed on as it is', async () => {
    const { signal } = new AbortController();
    const error = new Error('as it is');
    await expect(abortable(Promise.reject(error), signal)).rejects.toBe(error);
    await settle();
    expect(listeners(signal)).toBe(0);
  });

  test('who has left before gets nothing', async () => {
    const controller = new AbortController();
    controller.abort();
    await expect(abortable(Promise.resolve(1), controller.signal)).rejects.toMatchObject(
      ours('aborted'),
    );
    await settle();
    expect(listeners(controller.signal)).toBe(0);
  });

  test('case 202: a promise that fails when everybody has left disturbs nobody', async () => {
    const controller = new AbortController();
    let fail = (_: Error) => {};
    const left = outcome(abortable(new Promise((_, reject) => (fail = reject)), controller.signal));
    controller.abort();
    fail(new Error('late'));
    await settle();
    expect(left()).toMatchObject(ours('aborted'));
  });
});
