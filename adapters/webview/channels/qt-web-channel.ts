import { createListeners, type Channel } from '../channel.js';
import { RPC, writeMessage } from '../message.js';
import { unavailable, writeError } from '../wire-error.js';

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

/** What is kept until the channel is set up. */
const MAX_WAITING = 64;

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
  const waiting: string[] = [];
  let found: QtBridgeObject | null = null;
  let isStarted = false;
  let isMissing = false;
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
    isMissing = !ready;
    connect();
    for (const text of waiting.splice(0)) deliver(text);
  };
  /** Where there is nobody, a request is answered here, so that it fails at once and by name. */
  const deliver = (text: string) => {
    if (found) void found.send(text);
    else refuse(text, `the QWebChannel has no object ${String(object)}`, listeners.tell);
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
      if (found || isMissing) deliver(text);
      else if (waiting.length < MAX_WAITING) waiting.push(text);
      else throw unavailable('the QWebChannel is not set up');
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

function refuse(text: string, problem: string, tell: (answer: string) => void): void {
  const { id, nonce } = JSON.parse(text) as { id?: string; nonce?: string };
  if (id === undefined || nonce === undefined) return;
  const error = { code: RPC.failed, message: problem, data: writeError(unavailable(problem)) };
  tell(writeMessage({ id, error }, nonce));
}
