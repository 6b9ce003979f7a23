import { MortiseError } from '../../../src/errors.js';

/** Settles as `promise` does, unless the caller leaves first. */
export function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const leave = () => reject(new MortiseError('aborted', {}));
    if (signal.aborted) leave();
    signal.addEventListener('abort', leave);
    const free = () => signal.removeEventListener('abort', leave);
    promise.then(resolve, reject).then(free, free);
  });
}
