import { createListeners, type Channel } from './channel.js';
import { unavailable } from '../protocol/wire-error.js';
import { createOutbox } from './outbox.js';

/** What the host registers: a slot that takes a text, and a signal with one. */
export interface QtBridgeObject {
  send(text: string): unknown;
  readonly message: {
    connect(listener: (text: unknown) => void): void;
    disconnect?(listener: (text: unknown) => void): void;
  };
}

export interface QtWebChannelOptions {
  /** What was registered with the QWebChannel, or its name. Default `mortise`. */
  readonly object?: string | QtBridgeObject;
}

type Transport = unknown;
type QWebChannel = new (
  transport: Transport,
  ready: (channel: { readonly objects: Readonly<Record<string, QtBridgeObject>> }) => void,
) => unknown;

/**
 * Qt WebEngine: an object with the slot `send(text)` and the signal `message(text)`. The page loads
 * `qrc:///qtwebchannel/qwebchannel.js` first, unless it hands over the object. The channel reaches the main frame of any
 * site, so the host takes it away (`page.setWebChannel(None)`) before the view leaves the panel's page.
 */
export function qtWebChannel({ object = 'mortise' }: QtWebChannelOptions = {}): Channel {
  const listeners = createListeners();
  const outbox = createOutbox('the QWebChannel', listeners.tell);
  let found: QtBridgeObject | null = null;
  let isStarted = false;
  let listening = 0;
  let isConnected = false;

  const hear = (text: unknown) => listeners.tell(text);
  const connect = () => {
    if (!found || isConnected === listening > 0) return;
    isConnected = !isConnected;
    if (isConnected) found.message.connect(hear);
    else found.message.disconnect?.(hear);
  };
  const take = (ready: QtBridgeObject | undefined) => {
    found = ready ?? null;
    connect();
    if (ready) outbox.open((text) => void ready.send(text));
    else outbox.fail(`the QWebChannel has no object ${String(object)}`);
  };
  const start = () => {
    if (isStarted) return;
    if (typeof object !== 'string') {
      isStarted = true;
      return take(object);
    }
    const page = globalThis as {
      QWebChannel?: QWebChannel;
      qt?: { webChannelTransport?: Transport };
    };
    const { QWebChannel, qt } = page;
    if (!QWebChannel || !qt?.webChannelTransport) {
      throw unavailable('there is no QWebChannel or qt.webChannelTransport');
    }
    isStarted = true;
    new QWebChannel(qt.webChannelTransport, ({ objects }) => take(objects[object]));
  };
  return {
    send(text) {
      start();
      outbox.send(text);
    },
    onMessage(listener) {
      try {
        start();
      } catch {
        // Told by `send`, whose caller waits for something.
      }
      const remove = listeners.add(listener);
      let isStopped = false;
      listening += 1;
      connect();
      return () => {
        if (isStopped) return;
        isStopped = true;
        remove();
        listening -= 1;
        connect();
      };
    },
  };
}
