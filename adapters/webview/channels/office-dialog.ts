import type { Clock } from '../../../src/ports/index.js';
import { systemClock } from '../../web/system-clock.js';
import { createListeners, type Channel } from './channel.js';
import { needFunction } from './globals.js';
import { createOutbox } from './outbox.js';

/** How long Office may take to say that it has the handler. */
const HANDLER_TIMEOUT_MS = 5_000;

export interface OfficeDialogChannelOptions {
  /** Times the wait for Office. Default: the system's. */
  readonly clock?: Clock;
}

interface AsyncResult {
  readonly status?: unknown;
  readonly error?: { readonly code?: unknown; readonly message?: unknown } | null;
}

/**
 * A page in a dialog of an Office add-in: `messageParent` there, `dialog.messageChild` in the page that opened it, which
 * serves the panel. Both have to be of one domain. Nothing is sent before Office has the handler that hears the answers;
 * where it does not take one within 5 s, requests fail with `bridge_unavailable`, which says why, until it does.
 * After `Office.onReady()`.
 */
export function officeDialogChannel({
  clock = systemClock,
}: OfficeDialogChannelOptions = {}): Channel {
  const listeners = createListeners();
  const outbox = createOutbox('the handler of Office', listeners.tell);
  let isListening = false;
  const listen = () => {
    // There is no way to take a handler back, so one serves all.
    if (isListening) return;
    const office = (globalThis as { Office?: { EventType?: Record<string, unknown> } }).Office;
    const type =
      office?.EventType?.['DialogParentMessageReceived'] ?? 'dialogParentMessageReceived';
    const hear = (event: { readonly message?: unknown }) => listeners.tell(event.message);
    const addHandler = needFunction('Office.context.ui.addHandlerAsync');
    isListening = true;
    const stopTimer = clock.after(HANDLER_TIMEOUT_MS, () =>
      outbox.fail(`addHandlerAsync did not answer within ${HANDLER_TIMEOUT_MS} ms`),
    );
    let isDone = false;
    const done = (result?: AsyncResult) => {
      if (isDone) return;
      isDone = true;
      stopTimer();
      if (result?.status === 'succeeded') outbox.open(deliver);
      else outbox.fail(`addHandlerAsync failed: ${reasonOf(result)}`);
    };
    try {
      addHandler(type, hear, done);
    } catch {
      done();
    }
  };
  const deliver = (text: string) => void needFunction('Office.context.ui.messageParent')(text);
  return {
    send(text) {
      listen();
      outbox.send(text);
    },
    onMessage(listener) {
      listen();
      return listeners.add(listener);
    },
  };
}

/** Office says a number and words, of which the words are in the user's language. */
const reasonOf = (result: AsyncResult | undefined): string =>
  [result?.error?.code, result?.error?.message].filter(Boolean).map(String).join(' ') ||
  'it gave no reason';
