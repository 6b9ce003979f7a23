import { JSDOM } from 'jsdom';
import type { Page } from '../../../adapters/browser/popup-window.js';

/** The pop-up as the page that opened it sees it. */
export interface FakePopup {
  closed: boolean;
  readonly shown: string[];
  /** What the page posted to it, with the origin it was for. */
  readonly received: { readonly data: unknown; readonly origin: string }[];
  /** Thrown by the next navigation. */
  failure: Error | null;
  readonly location: { replace(url: string): void };
  postMessage(data: unknown, origin: string): void;
  close(): void;
}

function createFakePopup(): FakePopup {
  const popup: FakePopup = {
    closed: false,
    shown: [],
    received: [],
    failure: null,
    location: {
      replace(url) {
        if (popup.failure) throw popup.failure;
        popup.shown.push(url);
      },
    },
    postMessage: (data, origin) => void popup.received.push({ data, origin }),
    close: () => void (popup.closed = true),
  };
  return popup;
}

/** The channels of one origin. */
export function createFakeChannels() {
  const open = new Set<FakeChannel>();
  class FakeChannel {
    onmessage: ((event: { data: unknown }) => void) | null = null;
    readonly name: string;
    constructor(name: string) {
      this.name = name;
      open.add(this);
    }
    postMessage(data: unknown): void {
      if (!open.has(this)) throw new Error('the channel is closed');
      for (const other of [...open]) {
        if (other === this || other.name !== this.name) continue;
        other.onmessage?.({ data: structuredClone(data) });
      }
    }
    close(): void {
      open.delete(this);
    }
  }
  return { FakeChannel, open };
}

export type FakeChannels = ReturnType<typeof createFakeChannels>;

export interface FakePage {
  readonly page: Page;
  /** Every window that was opened, with its features. */
  readonly popups: FakePopup[];
  readonly features: string[];
  readonly channels: FakeChannels;
  /** A message event as the browser would make one. */
  receive(event: { data: unknown; origin: string; source: unknown }): void;
  /** How many listeners the page has of ours. */
  listeners(): number;
  isFocused: boolean;
  isBlocking: boolean;
}

export interface FakePageOptions {
  readonly channels?: FakeChannels;
  /** What is different of it: `origin`, `top`, `opener`. */
  readonly window?: Readonly<Record<string, unknown>>;
}

/** A document of jsdom, with what it lacks played by the test. */
export function createFakePage(url: string, options: FakePageOptions = {}): FakePage {
  const { channels = createFakeChannels(), window: changes = {} } = options;
  const { window } = new JSDOM('<!doctype html><body></body>', { url });
  const page = window as unknown as Page;
  let count = 0;
  const popups: FakePopup[] = [];
  const features: string[] = [];
  const fake: FakePage = {
    page,
    popups,
    features,
    channels,
    receive: (event) =>
      void page.dispatchEvent(Object.assign(new window.Event('message') as Event, event)),
    listeners: () => count,
    isFocused: false,
    isBlocking: false,
  };
  const { addEventListener, removeEventListener } = page;
  const replaced: Record<string, unknown> = {
    BroadcastChannel: channels.FakeChannel,
    open(_: string, __: string, wanted: string) {
      features.push(wanted);
      if (fake.isBlocking) return null;
      popups.push(createFakePopup());
      return popups.at(-1);
    },
    addEventListener(...how: Parameters<typeof addEventListener>) {
      count += 1;
      addEventListener.apply(page, how);
    },
    removeEventListener(...how: Parameters<typeof removeEventListener>) {
      count -= 1;
      removeEventListener.apply(page, how);
    },
    close() {},
    ...changes,
  };
  for (const [name, value] of Object.entries(replaced)) {
    Object.defineProperty(page, name, { value, configurable: true });
  }
  page.document.hasFocus = () => fake.isFocused;
  Object.defineProperty(page.document, 'visibilityState', { get: () => 'visible' });
  return fake;
}
