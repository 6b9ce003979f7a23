import { isMortiseError, type AnyMortiseError } from 'mortise';
import type { Stage } from './stage.js';

type Settled = { readonly value: unknown } | { readonly error: AnyMortiseError };

/** What stands for an exception nobody thought of: no part of the host fails here. */
const isAccident = ({ code, message }: AnyMortiseError) =>
  code === 'configuration_error' && message.includes('lent by the host');

/** A value or one of our errors: anything else fails the test. */
export async function settled(work: Promise<unknown>): Promise<Settled> {
  try {
    return { value: await work };
  } catch (error) {
    if (isMortiseError(error) && !isAccident(error)) return { error };
    throw new Error('neither a value nor one of ours', { cause: error });
  }
}

/** Signed in with a token that can be sent, now and after the next start; or not signed in at all. */
export async function expectSoundSession({ session, clock, again }: Stage): Promise<void> {
  const { state } = session;
  expect(state.name).toMatch(/^(signedIn|signedOut|degraded)$/);
  const next = again();
  await next.restore();
  expect(next.state.name).toBe(state.name === 'signedOut' ? 'signedOut' : 'signedIn');
  await next.close();
  if (state.name !== 'signedIn') return;
  const { expiresAtMs, scopes } = state;
  expect(expiresAtMs === null || Number.isFinite(expiresAtMs)).toBe(true);
  expect(expiresAtMs ?? Infinity).toBeGreaterThanOrEqual(clock.nowMs());
  expect(scopes.every((scope) => typeof scope === 'string')).toBe(true);
  expect(await session.getAccessToken()).toMatch(/^[\x21-\x7e]+$/);
}

/** Nothing went over an open line, or to a stranger; nor was the user sent there. */
export function expectNoStranger({ sent, shown, isPlatform }: Stage): void {
  const addresses = [...shown, ...sent.map(({ url }) => url)];
  const isKnown = (url: string) => url.startsWith('https://') && isPlatform(url);
  expect(addresses.filter((url) => !isKnown(url))).toEqual([]);
}

/** What every object has. A test that ends with more has let somebody in. */
const prototypes = (): readonly string[] =>
  [Object, Array, String, Number, Boolean, Function, Map, Promise].map(({ prototype }) =>
    Reflect.ownKeys(prototype).map(String).join(),
  );

/** For the whole file: whatever the tests do, no prototype is touched. */
export function expectPrototypesUntouched(): void {
  const before = prototypes();
  afterEach(() => {
    expect(prototypes()).toEqual(before);
    expect(Object.keys(Object.prototype)).toEqual([]);
  });
}
