import { isMortiseError } from 'mortise';
import type { Stage } from './stage.js';

export type Call = readonly [name: string, call: () => Promise<unknown>];

/**
 * Everything that can be asked of a provider's API by whoever is signed in. Each function is given an id, or
 * else a request: whichever it takes.
 */
export async function callsOf({ session, provider, ending }: Stage): Promise<readonly Call[]> {
  const calls: Call[] = [];
  for (const [name, ask] of Object.entries(session.api)) {
    if (typeof ask !== 'function') throw new Error(`say here how api.${name} is called`);
    const ways = [['an-id', 'another-id'], [{ path: 'things' }]].map(
      (given) => async () => take(await ask(...given)),
    );
    for (const call of ways) if (!(await isMistake(ending(call())))) calls.push([name, call]);
  }
  const displayName = async () => {
    const name: unknown = await provider.displayName?.(session.api as never);
    if (typeof (name ?? '') !== 'string') throw new TypeError('the name is no text');
  };
  return [...calls, ['displayName', displayName]];
}

const isMistake = (work: Promise<unknown>): Promise<boolean> =>
  work.then(
    () => false,
    (error: unknown) => isMortiseError(error) && error.code === 'configuration_error',
  );

/** Reads an answer to its end. */
async function take(answer: unknown): Promise<void> {
  const { json, [Symbol.asyncIterator]: iterate } = Object(answer) as {
    json?: unknown;
    [Symbol.asyncIterator]?: unknown;
  };
  if (typeof json === 'function') await json();
  if (typeof iterate !== 'function') return;
  for await (const entry of answer as AsyncIterable<unknown>) void entry;
}
