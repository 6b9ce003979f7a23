import { RPC, writeMessage } from '../protocol/message.js';
import { unavailable, writeError } from '../protocol/wire-error.js';

/** What is kept until the other side is there. */
const MAX_WAITING = 64;

/** What a page sends to an other side that is not there yet, or never will be. */
export interface Outbox {
  /** @throws {MortiseError} `bridge_unavailable` when 64 messages wait already. */
  send(text: string): void;
  /** The other side is there: what waits goes out, and what comes later at once. Also after `fail`. Counts once. */
  open(deliver: (text: string) => void): void;
  /** Nobody will be there: requests are answered with that, now and later, so that they fail at once and by name. Not after `open`. */
  fail(problem: string): void;
}

/** `tell` hands an answer to the page. `name` is of what is waited for. */
export function createOutbox(name: string, tell: (answer: string) => void): Outbox {
  const waiting: string[] = [];
  let deliver: ((text: string) => void) | null = null;
  let isOpen = false;
  const settle = (how: (text: string) => void) => {
    deliver = how;
    for (const text of waiting.splice(0)) {
      try {
        how(text);
      } catch {
        refuse(text, `${name} does not take a message`, tell);
      }
    }
  };
  return {
    send(text) {
      if (deliver) deliver(text);
      else if (waiting.length < MAX_WAITING) waiting.push(text);
      else throw unavailable(`${name} is not set up`);
    },
    open(how) {
      if (isOpen) return;
      isOpen = true;
      settle(how);
    },
    fail(problem) {
      if (!deliver) settle((text) => refuse(text, problem, tell));
    },
  };
}

function refuse(text: string, problem: string, tell: (answer: string) => void): void {
  const { id, nonce } = JSON.parse(text) as { id?: string; nonce?: string };
  if (id === undefined || nonce === undefined) return;
  const error = { code: RPC.failed, message: problem, data: writeError(unavailable(problem)) };
  tell(writeMessage({ id, error }, nonce));
}
