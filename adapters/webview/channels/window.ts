import { misconfigured } from '../../../src/errors.js';
import { toText, type Channel } from './channel.js';
import { unavailable } from '../protocol/wire-error.js';
import { needFunction } from './globals.js';

export interface WindowChannelOptions {
  /** Of the page at the other end, exactly: `https://cad.acme.example`. */
  readonly origin: string;
  /** The window at the other end. Default: the parent. */
  readonly target?: Pick<Window, 'postMessage'>;
}

/**
 * A panel in an iframe of a page: messages go to that origin alone, and only that window of that origin is heard.
 *
 * @throws {MortiseError} `configuration_error` for anything but one origin; `null` and `*` are none.
 */
export function windowChannel({ origin, target }: WindowChannelOptions): Channel {
  if (!isOrigin(origin)) throw misconfigured('origin must be one exact origin');
  const other = (): Pick<Window, 'postMessage'> => {
    const found = target ?? globalThis.parent;
    if (!found || found === globalThis.window) throw unavailable('this page is in no frame');
    return found;
  };
  return {
    send: (text) => other().postMessage(text, origin),
    onMessage(listener) {
      const hear = (event: MessageEvent) => {
        if (event.origin !== origin || event.source !== other()) return;
        const text = toText(event.data);
        if (text !== null) listener(text);
      };
      needFunction('addEventListener')('message', hear);
      return () => void needFunction('removeEventListener')('message', hear);
    },
  };
}

function isOrigin(text: unknown): boolean {
  try {
    return typeof text === 'string' && text !== 'null' && new URL(text).origin === text;
  } catch {
    return false;
  }
}
