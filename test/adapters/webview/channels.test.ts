import * as webview from '../../../adapters/webview/index.js';
import type { Channel } from '../../../adapters/webview/index.js';

type Page = Record<string, unknown>;

/** One engine: what it puts into a page, and how its host speaks and hears. */
interface Engine {
  readonly create: () => Channel;
  readonly globals: (heard: (text: unknown) => void, slot: Slot) => Page;
  /** Speaks to the page; through what the page installed, or what `globals` kept in the slot. */
  readonly speak: (text: unknown, slot: Slot) => void;
}
type Slot = { listeners: Set<(message: unknown) => void> };

const page = globalThis as unknown as Page;
const byScript = (text: unknown) =>
  (page['mortiseReceive'] as ((text: unknown) => void) | undefined)?.(text);
const byEvent = (text: unknown, { listeners }: Slot) => {
  for (const each of [...listeners]) each({ data: text });
};
const target = ({ listeners }: Slot) => ({
  addEventListener: (_: string, listener: (message: unknown) => void) =>
    void listeners.add(listener),
  removeEventListener: (_: string, listener: (message: unknown) => void) =>
    void listeners.delete(listener),
});
const ORIGIN = 'https://cad.example';
const parent = { postMessage: (_: unknown, __: string) => {} };

const ENGINES: Readonly<Record<string, Engine>> = {
  WebView2: {
    create: webview.webView2Channel,
    globals: (heard, slot) => ({ chrome: { webview: { postMessage: heard, ...target(slot) } } }),
    speak: byEvent,
  },
  CefSharp: {
    create: () => webview.cefSharpChannel(),
    globals: (heard) => ({ CefSharp: { PostMessage: heard } }),
    speak: byScript,
  },
  'CefSharp in lower case': {
    create: () => webview.cefSharpChannel(),
    globals: (heard) => ({ cefSharp: { postMessage: heard } }),
    speak: byScript,
  },
  'CEF message router': {
    create: () => webview.cefQueryChannel(),
    globals: (heard) => ({ cefQuery: ({ request }: { request: string }) => heard(request) }),
    speak: byScript,
  },
  WebKit: {
    create: () => webview.webKitChannel(),
    globals: (heard) => ({ webkit: { messageHandlers: { mortise: { postMessage: heard } } } }),
    speak: byScript,
  },
  'Qt WebEngine': {
    create: () => webview.qtWebChannel(),
    globals: (heard, { listeners }) => ({
      qt: { webChannelTransport: { send() {} } },
      QWebChannel: function (_: unknown, ready: (channel: unknown) => void) {
        const message = { connect: (listener: (text: unknown) => void) => listeners.add(listener) };
        ready({ objects: { mortise: { send: heard, message } } });
      },
    }),
    speak: (text, { listeners }) => listeners.forEach((each) => each(text)),
  },
  SketchUp: {
    create: () => webview.sketchUpChannel(),
    globals: (heard) => ({ sketchup: { mortise: heard } }),
    speak: byScript,
  },
  Fusion: {
    create: webview.fusionChannel,
    globals: (heard) => ({
      adsk: {
        fusionSendData: (action: string, data: string) => heard(action === 'mortise' && data),
      },
    }),
    speak: (text) =>
      (
        page['fusionJavaScriptHandler'] as
          { handle?(action: string, data: unknown): unknown } | undefined
      )?.handle?.('mortise', text),
  },
  Archicad: {
    create: () => webview.archicadChannel(),
    globals: (heard) => ({ ACAPI: { mortise: heard } }),
    speak: byScript,
  },
  Electron: {
    create: () => webview.electronChannel(),
    globals: (heard, { listeners }) => ({
      mortise: {
        send: heard,
        onMessage: (listener: (text: unknown) => void) => (
          listeners.add(listener),
          () => listeners.delete(listener)
        ),
      },
    }),
    speak: (text, { listeners }) => listeners.forEach((each) => each(text)),
  },
  'VS Code': {
    create: () => webview.vsCodeChannel(),
    globals: (heard, slot) => ({
      acquireVsCodeApi: () => ({ postMessage: heard }),
      ...target(slot),
    }),
    speak: byEvent,
  },
  'Office dialog': {
    create: () => webview.officeDialogChannel(),
    globals: (heard, { listeners }) => ({
      Office: {
        EventType: { DialogParentMessageReceived: 'dialogParentMessageReceived' },
        context: {
          ui: {
            messageParent: heard,
            addHandlerAsync(
              _: unknown,
              listener: (message: unknown) => void,
              done: (result: unknown) => void,
            ) {
              listeners.add(listener);
              done({ status: 'succeeded' });
            },
          },
        },
      },
    }),
    speak: (text, { listeners }) => listeners.forEach((each) => each({ message: text })),
  },
  'a parent window': {
    create: () => webview.windowChannel({ origin: ORIGIN }),
    globals(heard, slot) {
      parent.postMessage = (text, origin) => heard(origin === ORIGIN && text);
      return { parent, ...target(slot) };
    },
    speak: (text, { listeners }) =>
      listeners.forEach((each) => each({ data: text, origin: ORIGIN, source: parent })),
  },
};

let before: Page;
beforeEach(() => {
  before = { ...page };
});
afterEach(() => {
  for (const name of Object.keys(page)) if (!(name in before)) delete page[name];
});

function setUp({ create, globals, speak }: Engine) {
  const slot: Slot = { listeners: new Set() };
  const heard: unknown[] = [];
  Object.assign(
    page,
    globals((text) => void heard.push(text), slot),
  );
  return { channel: create(), heard, speak: (text: unknown) => speak(text, slot) };
}

describe.each(Object.entries(ENGINES))('%s', (name, engine) => {
  test('text gets across both ways, until nobody listens', () => {
    const { channel, heard, speak } = setUp(engine);
    const told: string[] = [];
    const others: string[] = [];
    const stop = channel.onMessage((text) => told.push(text));
    const stopOther = channel.onMessage((text) => others.push(text));
    channel.send('{"to":"host"}');
    expect(heard).toEqual(['{"to":"host"}']);
    speak('{"to":"panel"}');
    expect(told).toEqual(['{"to":"panel"}']);
    stop();
    stop();
    speak('late');
    expect(told).toEqual(['{"to":"panel"}']);
    expect(others).toEqual(['{"to":"panel"}', 'late']);
    stopOther();
    speak('too late');
    expect(others).toHaveLength(2);
    expect(page['mortiseReceive']).toBeUndefined();
  });

  test('case 88: what is no text does not throw', () => {
    const { channel, speak } = setUp(engine);
    const told: unknown[] = [];
    const stop = channel.onMessage((text) => told.push(text));
    const cyclic: Page = {};
    cyclic['self'] = cyclic;
    for (const odd of [undefined, cyclic, () => {}, Symbol('x')])
      expect(() => speak(odd)).not.toThrow();
    for (const each of told) expect(typeof each).toBe('string');
    stop();
  });

  test('where it is missing that is said, with what was looked for', () => {
    const use = () => {
      const channel = engine.create();
      const stop = channel.onMessage(() => {});
      stop();
      channel.send('x');
    };
    expect(use).toThrow(/bridge unavailable: (there is no|this page is in no frame)/);
  });

  const isFound = !['a parent window', 'Office dialog'].includes(name);
  test(`detectChannel ${isFound ? 'finds it' : 'leaves it alone'}`, () => {
    const { heard } = setUp(engine);
    if (!isFound) return expect(() => webview.detectChannel()).toThrow('bridge unavailable');
    const channel = webview.detectChannel();
    channel.onMessage(() => {});
    channel.send('hello');
    expect(heard).toEqual(['hello']);
  });
});

test('a page without any bridge is told everything that was looked for', () => {
  for (const name of [
    'mortise.send',
    'adsk.fusionSendData',
    'sketchup.mortise',
    'ACAPI.mortise',
    'acquireVsCodeApi',
    'chrome.webview.postMessage',
    'CefSharp.PostMessage',
    'cefQuery',
    'webkit.messageHandlers.mortise',
    'qt.webChannelTransport',
  ]) {
    expect(() => webview.detectChannel()).toThrow(name);
  }
  Object.defineProperty(page, 'chrome', {
    configurable: true,
    get: () => {
      throw new Error('no');
    },
  });
  expect(() => webview.detectChannel()).toThrow(
    expect.objectContaining({ code: 'bridge_unavailable' }),
  );
});

test.each([
  '*',
  'null',
  '',
  'https://cad.example/',
  'https://cad.example/path',
  'file://',
  'cad.example',
  undefined,
])('case 65: %j is no origin', (origin) => {
  expect(() => webview.windowChannel({ origin: origin as string })).toThrow('origin must be');
});

test.each([
  ['case 63: another origin', { origin: 'https://evil.example', source: parent }],
  ['case 63: no origin', { origin: 'null', source: parent }],
  ['case 64: another window', { origin: ORIGIN, source: {} }],
  ['case 64: no window', { origin: ORIGIN, source: null }],
])('a parent window: %s is not heard', (_, from) => {
  const slot: Slot = { listeners: new Set() };
  Object.assign(page, { parent, ...target(slot) });
  const told: string[] = [];
  webview.windowChannel({ origin: ORIGIN }).onMessage((text) => told.push(text));
  for (const each of slot.listeners) each({ data: 'x', ...from });
  expect(told).toEqual([]);
});

test('a host may answer by what its function returns', async () => {
  page['webkit'] = { messageHandlers: { mortise: { postMessage: async () => 'later' } } };
  page['cefQuery'] = ({ onSuccess }: { onSuccess(text: string): void }) => onSuccess('at once');
  const told: string[] = [];
  for (const channel of [webview.webKitChannel(), webview.cefQueryChannel()]) {
    channel.onMessage((text) => told.push(text));
    channel.send('x');
  }
  await Promise.resolve();
  await Promise.resolve();
  expect(told.sort()).toEqual(['at once', 'later']);
});

test('CefSharp: where the program has renamed its object, that one is used and named', () => {
  const heard: unknown[] = [];
  page['CefSharp'] = { PostMessage: () => heard.push('the other') };
  const channel = webview.cefSharpChannel({ object: 'acme' });
  expect(() => channel.send('x')).toThrow('there is no acme.PostMessage or acme.postMessage');
  page['acme'] = { PostMessage: (text: unknown) => heard.push(text) };
  channel.send('y');
  expect(heard).toEqual(['y']);
});

test('a page’s own handler for Fusion goes on, and every call is answered', () => {
  const actions: string[] = [];
  page['fusionJavaScriptHandler'] = { handle: (action: string) => void actions.push(action) };
  page['adsk'] = { fusionSendData() {} };
  const stop = webview.fusionChannel().onMessage(() => {});
  const handler = () =>
    page['fusionJavaScriptHandler'] as { handle(action: string, data: string): unknown };
  expect(handler().handle('theirs', 'x')).toBe('OK');
  expect(actions).toEqual(['theirs']);
  stop();
  expect(handler().handle('theirs', 'x')).toBeUndefined();
});

test('Qt: what is sent before the channel is set up is kept, within bounds', () => {
  const sent: string[] = [];
  let ready: (channel: unknown) => void = () => {};
  page['qt'] = { webChannelTransport: {} };
  page['QWebChannel'] = function (_: unknown, then: (channel: unknown) => void) {
    ready = then;
  };
  const channel = webview.qtWebChannel({ object: 'mine' });
  for (let i = 0; i < 64; i += 1) channel.send(String(i));
  expect(() => channel.send('one too many')).toThrow('bridge unavailable');
  const mine = { send: (text: string) => sent.push(text), message: { connect() {} } };
  ready({ objects: { mine } });
  expect(sent).toEqual(Array.from({ length: 64 }, (_, i) => String(i)));
});
