import type { RedirectOutcome, VisitRequest } from '../../src/ports/index.js';
import type { Page } from './popup-window.js';
import { readRedirectMessage } from './read-redirect-message.js';
import { openChannel, type RedirectReply } from './redirect-message.js';

export interface PopupAnswers {
  /** Takes nothing more. What was taken is still answered. */
  stop(): void;
  /** When everything that was taken has been answered. */
  answered(): Promise<unknown>;
  /** Nothing can be answered any more. */
  free(): void;
}

/**
 * Takes what the redirect page sends: from the window that we opened, by `postMessage`, and from any of its origin, by a
 * channel. The session tells whether it is an answer; the page is told what became of it, by the same way.
 */
export function takeAnswers(
  page: Page,
  redirect: URL,
  popup: Window | null,
  onRedirect: VisitRequest['onRedirect'],
): PopupAnswers {
  const channel = openChannel(page, redirect);
  /** By the arrival: the same one comes on both ways. */
  const taken = new Map<string, Promise<RedirectOutcome>>();

  const take = async (data: unknown, reply: (text: RedirectReply) => void): Promise<void> => {
    const message = readRedirectMessage(data, redirect.origin);
    if (!message) return;
    const { id, url } = message;
    reply({ mortise: 1, id, kind: 'heard' });
    const outcome = taken.get(id) ?? onRedirect(url);
    taken.set(id, outcome);
    reply({ mortise: 1, id, ...tellable(await outcome) });
  };

  const onMessage = ({ data, origin, source }: MessageEvent) => {
    if (origin !== redirect.origin || !popup || source !== popup) return;
    void take(data, (reply) => popup.postMessage(reply, redirect.origin));
  };
  const onChannel = ({ data }: MessageEvent) => {
    void take(data, (reply) => isOpen && channel?.postMessage(reply));
  };
  let isOpen = true;

  page.addEventListener('message', onMessage);
  if (channel) channel.onmessage = onChannel;
  return {
    stop() {
      page.removeEventListener('message', onMessage);
      if (channel) channel.onmessage = null;
    },
    answered: async () => {
      await Promise.allSettled(taken.values());
    },
    free() {
      isOpen = false;
      channel?.close();
    },
  };
}

/** What a page may show. */
function tellable(outcome: RedirectOutcome): Pick<RedirectReply, 'kind' | 'code' | 'hint'> {
  if (outcome.kind !== 'failed') return { kind: outcome.kind };
  const { code, hint } = outcome.error;
  return { kind: 'failed', code, hint };
}
