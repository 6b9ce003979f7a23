import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MortiseError, type SessionState } from 'mortise';
import { define, type SignInElement } from 'mortise/element';
import { ENGLISH } from '../../../adapters/element/texts.js';
import { newSecret } from '../../support/canaries.js';
import { openPage } from './dom.js';
import { createFakeSession, type FakeSession } from './fake-session.js';

const OUT = { name: 'signedOut', reason: 'never' } as const;
const IN = { name: 'signedIn', expiresAtMs: null, scopes: [] } as const;
const NOW_MS = 1_000_000;
const authorizing = {
  name: 'authorizing',
  startedAtMs: NOW_MS,
  expiresAtMs: NOW_MS + 300_000,
  window: 'open',
  authorizationUrl: 'https://as.example/authorize',
  ignoredRedirects: 0,
} as const;
const device = { userCode: 'A', verificationUri: 'https://a/', verificationUriComplete: null };
const offline = new MortiseError('network_error', { host: 'as.example' });

let page: ReturnType<typeof openPage>;
let element: SignInElement;
let session: FakeSession;

beforeEach(() => {
  jest.useFakeTimers({ now: NOW_MS, doNotFake: ['nextTick', 'queueMicrotask'] });
  page = openPage();
  define();
  element = page.document.createElement('mortise-sign-in');
  session = createFakeSession(OUT);
  element.session = session;
  page.document.body.append(element);
});

afterEach(() => {
  element.remove();
  expect(jest.getTimerCount()).toBe(0);
  expect(session.listenerCount).toBe(0);
  page.close();
  jest.useRealTimers();
});

const root = () => element.shadowRoot!;
const all = <E extends Element>(query: string) => [
  ...root().querySelectorAll<E & HTMLElement>(query),
];
const one = <E extends Element = HTMLElement>(query: string) => {
  const [found] = all<E>(query);
  if (!found) throw new Error(`no ${query}`);
  return found;
};
const isShown = (it: Element) => it.closest('[hidden]') === null;
const buttons = () =>
  all<HTMLButtonElement>('button')
    .filter(isShown)
    .map(({ textContent }) => textContent);
const button = (text: string) => {
  const found = all<HTMLButtonElement>('button').find((it) => it.textContent === text);
  if (!found || !isShown(found)) throw new Error(`no ${text}`);
  return found;
};
const status = () => one('[part=status]').textContent;
const notes = () => all('[part~=note]').map(({ textContent }) => textContent);

describe('define', () => {
  test('may be called twice, and with a name of one’s own', () => {
    define();
    define('acme-sign-in');
    define('acme-sign-in');
    const mine = page.document.createElement('acme-sign-in') as SignInElement;
    mine.session = session;
    page.document.body.append(mine);
    expect(mine.shadowRoot?.textContent).toContain(ENGLISH.signedOut);
    mine.remove();
  });

  test('takes over what the page has set before', () => {
    const early = page.document.createElement('late-sign-in') as SignInElement;
    early.session = session;
    page.document.body.append(early);
    expect(early.shadowRoot).toBe(null);
    define('late-sign-in');
    expect(early.shadowRoot?.textContent).toContain(ENGLISH.signedOut);
    early.remove();
  });
});

describe('a click', () => {
  test('signs in before anything else happens, for a popup opens nowhere else', () => {
    button('Sign in').click();
    expect(session.calls).toEqual(['signIn join']);
  });

  test('the second of a double click is not meant for what is there by then', () => {
    button('Sign in').click();
    session.move(authorizing, 'signInRequested');
    const { MouseEvent } = page.document.defaultView!;
    button('Cancel').dispatchEvent(new MouseEvent('click', { detail: 2, bubbles: true }));
    expect(session.calls).toEqual(['signIn join']);
  });

  test('cancels what was begun here, and says so', async () => {
    button('Sign in').click();
    session.move(authorizing, 'signInRequested');
    button('Cancel').click();
    expect(session.calls).toEqual(['signIn join', 'aborted']);
    const cancelled = new MortiseError('sign_in_cancelled', {});
    session.move(OUT, 'signInFailed', cancelled);
    await session.settle(cancelled);
    expect(notes()).toEqual([ENGLISH.problems.sign_in_cancelled]);
    expect(buttons()).toEqual(['Sign in']);
  });

  test('tries again, and the attempt before has no say any more', async () => {
    button('Sign in').click();
    session.move({ ...authorizing, window: 'lost' }, 'windowLost');
    button('Try again').click();
    expect(session.calls).toEqual(['signIn join', 'signIn restart']);
    session.move(authorizing, 'signInRestarted');
    expect(buttons()).toEqual(['Cancel']);
    expect(notes()).toEqual([]);
  });

  test('signs out', () => {
    session.move(IN, 'sessionFound');
    button('Sign out').click();
    expect(session.calls).toEqual(['signOut']);
  });

  test('that fails without a change of state is told all the same', async () => {
    button('Sign in').click();
    await session.settle(new MortiseError('bridge_unavailable', { problem: 'no answer' }));
    expect(notes()[0]).toContain(ENGLISH.problems.bridge_unavailable);
  });

  test('whose failure comes after others have signed in is not told', async () => {
    button('Sign in').click();
    session.move(authorizing, 'signInRequested');
    session.move(OUT, 'signInFailed', offline);
    session.move(IN, 'sessionFound');
    await session.settle(offline);
    expect(notes()).toEqual([]);
  });
});

describe('the time left', () => {
  const time = () => one('[part=time]');

  test('goes down each second, by one timer, while it is shown', () => {
    session.move(authorizing, 'addressReady');
    expect(time().textContent).toBe('5:00 left');
    jest.advanceTimersByTime(61_000);
    expect(time().textContent).toBe('3:59 left');
    expect(jest.getTimerCount()).toBe(1);
    session.move({ name: 'exchanging' }, 'redirectReceived');
    expect(isShown(time())).toBe(false);
    expect(jest.getTimerCount()).toBe(0);
  });

  test('stops with the element, and goes on with it', () => {
    session.move(authorizing, 'addressReady');
    element.remove();
    expect(jest.getTimerCount()).toBe(0);
    jest.advanceTimersByTime(5_000);
    page.document.body.append(element);
    expect(time().textContent).toBe('4:55 left');
  });

  test('what happened while the element was away is told by the session, not by what it said before', async () => {
    const settled = () => session.settle();
    element.describeUser = () => 'Ann';
    session.move(IN, 'tokensIssued');
    await settled();
    expect(status()).toBe('Signed in as Ann');
    element.remove();
    page.document.body.append(element);
    expect(status()).toBe('Signed in as Ann');
    element.remove();
    session.move(OUT, 'signOutCompleted');
    session.move({ ...IN }, 'tokensIssued');
    element.describeUser = () => 'Bob';
    page.document.body.append(element);
    await settled();
    expect(status()).toBe('Signed in as Bob');
    session.move(OUT, 'grantRejected', offline);
    expect(notes()).toHaveLength(1);
    element.remove();
    session.move({ ...IN }, 'tokensIssued');
    page.document.body.append(element);
    expect(notes()).toEqual([]);
  });

  test('is not read out, while the status is', () => {
    session.move(authorizing, 'addressReady');
    expect(time().closest('[aria-live]')).toBe(null);
    expect(time().getAttribute('role')).toBe('timer');
    expect(one('[part=status]').closest('[role=status]')?.getAttribute('aria-live')).toBe('polite');
  });

  test.each([
    ['de', '5:00 left'],
    ['ar-EG', '٥:٠٠ left'],
    ['no such language', '5:00 left'],
  ])('in the digits of %s', (language, text) => {
    page.document.documentElement.lang = language;
    session.move(authorizing, 'addressReady');
    expect(time().textContent).toBe(text);
  });
});

describe('what is pasted', () => {
  const input = () => one<HTMLInputElement>('input');
  const paste = (text: string) => {
    input().value = text;
    button('Continue').click();
  };
  const waiting = { ...authorizing, answerBy: 'paste' } as const;
  const notOurs = new MortiseError('malformed_response', { problem: 'not an answer' });

  test('case 96: goes to the session, and is kept while it may be mended', async () => {
    const code = newSecret('pasted');
    session.move(waiting, 'addressReady');
    paste(code);
    expect(session.calls).toEqual([`completeSignIn ${code.length}`]);
    await session.settle(notOurs);
    expect(notes()[0]).toContain(ENGLISH.problems.malformed_response);
    expect(input().getAttribute('aria-invalid')).toBe('true');
    expect(root().getElementById(input().getAttribute('aria-describedby')!)?.textContent).toBe(
      notes()[0],
    );
    expect(input().value).toBe(code);
  });

  test('is forgotten when it was taken', () => {
    session.move(waiting, 'addressReady');
    paste(newSecret('pasted'));
    session.move({ name: 'exchanging' }, 'redirectReceived');
    expect(input().value).toBe('');
  });
});

describe('who is signed in', () => {
  const turns = async () => {
    for (let count = 0; count < 5; count += 1) await Promise.resolve();
  };
  let asked: number;
  beforeEach(() => {
    asked = 0;
    element.describeUser = async () => `Ann ${(asked += 1)}`;
  });

  test('is asked once for each sign-in, and not for each renewal', async () => {
    session.move(IN, 'sessionFound');
    expect(status()).toBe(ENGLISH.signedIn);
    await turns();
    expect(status()).toBe('Signed in as Ann 1');
    session.move({ name: 'refreshing' }, 'refreshDue');
    session.move(IN, 'tokensIssued');
    await turns();
    expect(status()).toBe('Signed in as Ann 1');
    session.move({ name: 'exchanging' }, 'redirectReceived');
    session.move(IN, 'tokensIssued');
    await turns();
    expect(status()).toBe('Signed in as Ann 2');
  });

  test('is forgotten with the sign-out, also when the answer comes late', async () => {
    let answer = (_: string) => {};
    element.describeUser = () => new Promise((resolve) => (answer = resolve));
    session.move(IN, 'sessionFound');
    await turns();
    session.move(OUT, 'signOutCompleted');
    answer('Ann');
    await turns();
    expect(status()).toBe(ENGLISH.signedOut);
    session.move(IN, 'sessionFound');
    expect(status()).toBe(ENGLISH.signedIn);
  });

  test('is nobody by name when that cannot be had', async () => {
    element.describeUser = () => Promise.reject(offline);
    session.move(IN, 'sessionFound');
    await turns();
    expect(status()).toBe(ENGLISH.signedIn);
    expect(notes()).toEqual([]);
  });

  test('a renewal in the background is not seen', () => {
    session.move({ ...IN, unsaved: true }, 'sessionFound');
    const before = root().textContent;
    session.move({ name: 'refreshing' }, 'refreshDue');
    expect(root().textContent).toBe(before);
  });
});

describe('a session', () => {
  test('that was not read yet is restored', () => {
    const next = createFakeSession({ name: 'idle' });
    element.session = next;
    expect(next.calls).toEqual(['restore']);
    expect(session.listenerCount).toBe(0);
    element.session = session;
    expect(next.listenerCount).toBe(0);
  });

  test('may be missing', () => {
    element.session = null;
    expect(isShown(one('[part=panel]'))).toBe(false);
  });

  test('that is signed in already is shown so', () => {
    element.session = session = createFakeSession(IN);
    expect(buttons()).toEqual(['Sign out']);
  });
});

test('its guide names every part and property there is, and no other', () => {
  const guide = readFileSync(join(__dirname, '../../../adapters/element/README.md'), 'utf8');
  const style = readFileSync(join(__dirname, '../../../adapters/element/style.ts'), 'utf8');
  const properties = (text: string) => [...new Set(text.match(/--mortise-[\w-]+/g))].sort();
  expect(properties(guide)).toEqual(properties(style));
  const [, list = ''] = /::part\(panel\)`:([^.]*)\./.exec(guide) ?? [];
  const named = [...list.matchAll(/`([\w-]+)`/g)].map(([, part]) => part);
  const parts = new Set<string>();
  const look = () => {
    for (const it of all('[part]'))
      (it.getAttribute('part') ?? '').split(' ').forEach((part) => parts.add(part));
  };
  session.move({ ...authorizing, device, weakness: 'pkce_not_checked' }, 'addressReady');
  look();
  session.move({ ...authorizing, window: 'lost' }, 'windowLost', offline);
  look();
  expect(named.sort()).toEqual([...parts].sort());
});

test('every word can be another', () => {
  const names = Object.keys(ENGLISH) as (keyof typeof ENGLISH)[];
  const others = Object.fromEntries(names.map((name) => [name, `{time}{user}<${name}>`]));
  const { code } = offline;
  element.texts = { ...others, problems: { [code]: '<problem>' }, hints: { [code]: '<hint>' } };
  element.describeUser = () => 'Ann';
  const said = new Set<string>();
  const look = () => {
    const labels = all('[aria-label]').map((it) => it.getAttribute('aria-label') ?? '');
    for (const text of [one('[part=panel]').textContent ?? '', ...labels]) {
      for (const [, word = ''] of text.matchAll(/<(\w+)>/g)) said.add(word);
      // What is left is no word of ours: a time, a code, an address.
      expect(text.replace(/<\w+>|\{\w+\}|https:.*?\/|\(\w+\)/g, '')).not.toMatch(/[a-z]{2}/);
    }
  };
  button('{time}{user}<signIn>').click();
  const states: [SessionState, Parameters<FakeSession['move']>[1]][] = [
    [{ name: 'restoring' }, 'restoreRequested'],
    [OUT, 'sessionAbsent'],
    [{ ...OUT, reason: 'rejected' }, 'grantRejected'],
    [{ ...OUT, reason: 'damaged' }, 'sessionAbsent'],
    [{ ...authorizing, authorizationUrl: null }, 'signInRequested'],
    [authorizing, 'addressReady'],
    [{ ...authorizing, window: 'lost' }, 'windowLost'],
    [{ ...authorizing, answerBy: 'paste' }, 'addressReady'],
    [{ ...authorizing, device, weakness: 'pkce_not_checked' }, 'addressReady'],
    [{ name: 'exchanging' }, 'redirectReceived'],
    [{ ...IN, unsaved: true, userChanged: true }, 'tokensIssued'],
    [{ name: 'degraded', retryAtMs: 0 }, 'refreshFailed'],
    [{ name: 'signingOut' }, 'signOutRequested'],
  ];
  for (const [state, event] of states) {
    for (const error of [undefined, offline, new MortiseError('aborted', {}, { hint: '' })]) {
      session.move(state, event, error);
      look();
    }
  }
  const unsaid = [...names, 'problem', 'hint'].filter((name) => !said.has(name));
  // Said by name, once that is known, which takes a moment.
  expect(unsaid.sort()).toEqual(['hints', 'problems', 'signedInAs']);
});

test('stands as well from right to left, and what is read from left to right stays so', () => {
  expect(one('style').textContent).not.toMatch(/\b(left|right)\b/);
  const directions = () =>
    ['code', 'link', 'input', 'status', 'send'].map((part) => one(`[part~=${part}]`).dir);
  session.move({ ...authorizing, device }, 'addressReady');
  expect(directions()).toEqual(['ltr', 'ltr', 'ltr', '', '']);
  session.move({ ...authorizing, window: 'lost' }, 'windowLost');
  expect(directions()).toEqual(['ltr', '', 'ltr', '', '']);
});

test('the focus stays where it is, or goes to the panel when its control went', () => {
  button('Sign in').focus();
  button('Sign in').click();
  session.move(authorizing, 'signInRequested');
  expect(root().activeElement).toBe(one('[part=panel]'));
  const cancel = button('Cancel');
  button('Cancel').focus();
  session.move({ ...authorizing, window: 'lost' }, 'windowLost');
  expect(root().activeElement).toBe(cancel);
});

test('case 66: a link opens a window that knows nothing of this one', () => {
  session.move({ ...authorizing, window: 'lost' }, 'windowLost');
  const { href, target, rel } = one<HTMLAnchorElement>('a');
  expect({ href, target, rel }).toEqual({
    href: 'https://as.example/authorize',
    target: '_blank',
    rel: 'noopener noreferrer',
  });
});
