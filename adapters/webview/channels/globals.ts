import { createListeners, type Channel } from './channel.js';
import { unavailable } from '../protocol/wire-error.js';

/** A function somewhere below the global object, with what it is called on; looked up at each call. */
export function findFunction(path: string): ((...args: readonly unknown[]) => unknown) | null {
  let owner: unknown;
  let value: unknown = globalThis;
  try {
    for (const name of path.split('.')) {
      owner = value;
      // Some bridges are objects with the type of a function, or proxies without own properties.
      value = (owner as Record<string, unknown> | null | undefined)?.[name];
    }
  } catch {
    return null; // A getter that throws.
  }
  if (typeof value !== 'function') return null;
  const found = value as (...args: readonly unknown[]) => unknown;
  return (...args) => found.apply(owner, [...args]);
}

/** The first of these that is there. @throws {MortiseError} `bridge_unavailable`, which names them. */
export function needFunction(
  ...paths: readonly string[]
): (...args: readonly unknown[]) => unknown {
  for (const path of paths) {
    const found = findFunction(path);
    if (found) return found;
  }
  throw unavailable(`there is no ${paths.join(' or ')}`);
}

/** How a host speaks that can only run script in the page: `mortiseReceive("…")`. */
export const RECEIVER = 'mortiseReceive';

/**
 * A channel whose host answers by script, or by what the bridge's own function returns: a text, or the promise of one.
 */
export function scriptChannel(...paths: readonly string[]): Channel {
  const replies = createListeners();
  return {
    send(text) {
      hearReply(needFunction(...paths)(text), replies.tell);
    },
    onMessage(listener) {
      const stopReplies = replies.add(listener);
      const stopScript = receiveByScript(listener);
      return () => {
        stopReplies();
        stopScript();
      };
    },
  };
}

/** What a bridge gives back may be a promise of its own kind, and says nothing by default. */
export function hearReply(reply: unknown, tell: (text: unknown) => void): void {
  const hear = (text: unknown) => {
    if (typeof text === 'string' && text) tell(text);
  };
  if (typeof reply === 'string') hear(reply);
  else if (typeof Object(reply).then === 'function') {
    Promise.resolve(reply as PromiseLike<unknown>).then(hear, () => {});
  }
}

interface Receiver {
  (text: unknown): void;
  /** Of one that was made here. */
  readonly add?: (listener: (text: string) => void) => () => void;
}

/** One global function for all who listen; one of somebody else's goes on being called. */
export function receiveByScript(listener: (text: string) => void): () => void {
  const page = globalThis as unknown as Record<string, Receiver | undefined>;
  const before = page[RECEIVER];
  if (before?.add) return before.add(listener);
  const listeners = createListeners();
  let count = 0;
  const add = (each: (text: string) => void) => {
    const stop = listeners.add(each);
    let isStopped = false;
    count += 1;
    return () => {
      if (isStopped) return;
      isStopped = true;
      stop();
      count -= 1;
      if (count > 0 || page[RECEIVER] !== receive) return;
      if (before) page[RECEIVER] = before;
      else delete page[RECEIVER];
    };
  };
  const receive: Receiver = Object.assign(
    (text: unknown) => {
      listeners.tell(text);
      before?.(text);
    },
    { add },
  );
  page[RECEIVER] = receive;
  return add(listener);
}
