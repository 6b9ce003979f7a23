import { MortiseError, type StoreProblem } from '../../src/errors.js';
import type { Clock, KeyValueStore } from '../../src/ports/index.js';
import { createTurns } from '../web/turns.js';
import type { HostFunction } from './host-function.js';

/** A host that does not answer must not keep what comes after it waiting for ever. */
const TIMEOUT_MS = 12_000;

const PROBLEMS: readonly string[] = [
  'absent',
  'locked',
  'timeout',
  'refused',
  'reset',
  'unwritable',
  'full',
] satisfies StoreProblem[];

/** Whatever the host keeps text in: the system's keychain is the place for what is stored here. */
export function createHostStore(host: HostFunction, clock: Clock): KeyValueStore {
  const inTurn = createTurns();

  const ask = (method: string, key: string, params: Readonly<Record<string, string>>) =>
    inTurn(key, () =>
      limited(clock, async () => {
        const answer = await host.ask(method, params);
        if (answer.refused !== null) throw unavailable(answer.refused);
        return answer.result;
      }),
    );

  return {
    name: 'host',
    async get(key) {
      const value = await ask('store.get', key, { key });
      if (value !== null && typeof value !== 'string') throw unavailable('refused');
      return value;
    },
    async set(key, value) {
      await ask('store.set', key, { key, value });
    },
    async remove(key) {
      await ask('store.remove', key, { key });
    },
  };
}

function unavailable(code: string): MortiseError<'store_unavailable'> {
  const problem = code === 'unsupported' ? 'absent' : code;
  const isKnown = PROBLEMS.includes(problem);
  return new MortiseError('store_unavailable', isKnown ? { problem: problem as StoreProblem } : {});
}

function limited<T>(clock: Clock, task: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(TIMEOUT_MS, () => reject(unavailable('timeout')));
    task().then(resolve, reject).then(cancel);
  });
}
