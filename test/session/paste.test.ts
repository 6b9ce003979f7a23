// Signing in where nothing comes back by itself: the user pastes the address the browser ended on.
import {
  answerConsent,
  createSandbox,
  type ConsentAnswer,
  type SandboxProvider,
} from 'mortise/sandbox';
import { createLocalLock } from '../../adapters/web/local-lock.js';
import type { Host, KeyValueStore, RedirectRule, VisitRequest } from '../../src/ports/index.js';
import type { Provider } from '../../src/oauth/provider.js';
import { aps } from '../../src/providers/aps.js';
import { oauth } from '../../src/providers/oauth.js';
import { opencde } from '../../src/providers/opencde.js';
import { prevu3d } from '../../src/providers/prevu3d.js';
import { speckle } from '../../src/providers/speckle.js';
import { createSession } from '../../src/session/create-session.js';
import type { StateChange } from '../../src/session/machine.js';
import { memoryStore } from '../../src/session/memory-store.js';
import { pasteUserAgent, type PasteUserAgentOptions } from '../../src/session/paste-user-agent.js';
import type { AuthorizingState } from '../../src/session/state.js';
import { createFakeClock, settle } from '../support/fake-clock.js';
import { failing, promptCrypto } from './support.js';

const ISSUER = 'https://login.example';
const scopes = ['data:read'];

const standard = (redirect?: RedirectRule) =>
  oauth({ issuer: ISSUER, clientId: 'plug-in', scopes, ...(redirect && { redirect }) });

interface Options extends PasteUserAgentOptions {
  readonly platform?: SandboxProvider;
  readonly provider?: Provider;
  readonly store?: KeyValueStore;
}

async function begun({
  platform = 'oauth',
  provider = standard(),
  store,
  ...options
}: Options = {}) {
  const clock = createFakeClock();
  const sandbox = createSandbox({ provider: platform, nowMs: clock.nowMs });
  const tokenForms: URLSearchParams[] = [];
  const host: Host = {
    http(request) {
      const form = new URLSearchParams(String(request.body ?? ''));
      if (form.has('code') || String(request.body).includes('accessCode')) tokenForms.push(form);
      return sandbox(request);
    },
    store: store ?? memoryStore(),
    lock: createLocalLock(clock),
    crypto: promptCrypto,
    clock,
    userAgents: [pasteUserAgent(options)],
    client: 'confidential',
  };
  const session = createSession({ host, provider });
  const changes: StateChange[] = [];
  session.onChange((change) => void changes.push(change));
  const done = session.signIn();
  done.catch(() => {});
  await settle();
  const authorizing = () => session.state as AuthorizingState;
  const url = new URL(authorizing().authorizationUrl ?? '');
  return {
    clock,
    sandbox,
    session,
    changes,
    done,
    authorizing,
    url,
    state: url.searchParams.get('state') ?? '',
    tokenForms,
    /** Goes through the consent page: the address the browser ends on. */
    consent: (decision: ConsentAnswer['decision'] = 'allow') =>
      answerConsent(sandbox, url.href, { decision }),
  };
}

const redirectUriOf = async (redirect: RedirectRule) => {
  const visit = await pasteUserAgent().open({ redirect } as VisitRequest);
  return visit.redirectUri;
};

describe('where the browser ends', () => {
  test.each<[string, RedirectRule, string]>([
    [
      'any port',
      { loopback: '127.0.0.1', path: '/callback', ports: 'any' },
      'http://127.0.0.1:4/callback',
    ],
    [
      'any port, without a path',
      { loopback: 'localhost', path: '', ports: 'any' },
      'http://localhost:4',
    ],
    [
      'certain ports',
      { loopback: 'localhost', path: '/cb', ports: [47_821, 47_822] },
      'http://localhost:47821/cb',
    ],
    ['one address', ['https://plug-in.example/callback'], 'https://plug-in.example/callback'],
    [
      'exact addresses',
      ['http://localhost:3000/a?x=1', 'http://localhost:3001/b'],
      'http://localhost:3000/a?x=1',
    ],
  ])('with %s', async (_, redirect, uri) => {
    expect(await redirectUriOf(redirect)).toBe(uri);
  });

  test('is not at one of the ports that browsers refuse', async () => {
    // https://fetch.spec.whatwg.org/#bad-port, those below 1024.
    const refused =
      '0 1 7 9 11 13 15 17 19 20 21 22 23 25 37 42 43 53 69 77 79 87 95 101 102 103 104 109 110 111 113 115 117 119 123 135 137 139 143 161 179 389 427 465 512 513 514 515 526 530 531 532 540 548 554 556 563 587 601 636 989 990 993 995';
    const uri = await redirectUriOf({ loopback: '127.0.0.1', path: '/', ports: 'any' });
    expect(refused.split(' ')).not.toContain(new URL(uri).port);
    // Nor one that a program of any user may listen on, on most systems.
    expect(Number(new URL(uri).port)).toBeLessThan(1024);
  });
});

describe('a sign-in by pasting', () => {
  test('asks for the address, and takes it', async () => {
    const { session, authorizing, url, changes, consent, done, clock, tokenForms } = await begun();
    expect(authorizing()).toEqual({
      name: 'authorizing',
      startedAtMs: clock.nowMs(),
      expiresAtMs: clock.nowMs() + 300_000,
      window: 'open',
      authorizationUrl: url.href,
      ignoredRedirects: 0,
      answerBy: 'paste',
    });
    await session.completeSignIn(await consent());
    await done;
    expect(session.state.name).toBe('signedIn');
    expect(changes.map(({ event }) => event)).toEqual([
      'signInRequested',
      'addressReady',
      'redirectReceived',
      'tokensIssued',
    ]);
    expect(tokenForms[0]?.get('redirect_uri')).toBe('http://127.0.0.1:4/callback');
    expect(clock.pending).toBe(0);
  });

  test.each<[string, (address: string) => string]>([
    ['as it is', (address) => address],
    ['without its scheme', (address) => address.replace('http://', '')],
    ['as its query alone', (address) => new URL(address).search],
    ['as the code alone', (address) => new URL(address).searchParams.get('code') ?? ''],
    ['in blanks', (address) => `\n\t ${address} \r\n`],
    ['in quotes', (address) => `"${address}"`],
    ['in typographic quotes', (address) => `„${address}“`],
    ['in angle brackets', (address) => `<${address}>`],
    ['in the quotes of a terminal', (address) => ` '${address}' `],
    ['broken by the width of a terminal', (address) => address.replace('&state', '\n&state')],
    ['with a fragment behind it', (address) => `${address}#_=_`],
    ['with the code in quotes', (address) => `'${new URL(address).searchParams.get('code')}'`],
  ])('%s', async (_, paste) => {
    const { session, consent, done, tokenForms } = await begun();
    const address = await consent();
    await session.completeSignIn(paste(address));
    await done;
    expect(tokenForms.map((form) => form.get('code'))).toEqual([
      new URL(address).searchParams.get('code'),
    ]);
  });

  test.each<[string, (set: Awaited<ReturnType<typeof begun>>) => string]>([
    ['nothing', () => ''],
    ['blanks', () => ' \n '],
    ['a sentence', () => 'it says that the site cannot be reached'],
    ['the address of the consent page', ({ url }) => url.href],
    ['an address with another state', () => 'http://127.0.0.1:4/callback?code=c&state=other'],
    ['an address without a state', () => 'http://127.0.0.1:4/callback?code=c'],
    ['a query without a state', () => '?code=c'],
    ['a denial of another sign-in', () => '?error=access_denied&state=other'],
    ['a denial without a state', () => '?error=access_denied'],
    ['another port', ({ state }) => `http://127.0.0.1:5/callback?code=c&state=${state}`],
    ['another path', ({ state }) => `http://127.0.0.1:4/other?code=c&state=${state}`],
    [
      'another host',
      ({ state }) => `http://127.0.0.1.evil.example:4/callback?code=c&state=${state}`,
    ],
    ['another scheme', ({ state }) => `https://127.0.0.1:4/callback?code=c&state=${state}`],
    ['a user name', ({ state }) => `http://a@127.0.0.1:4/callback?code=c&state=${state}`],
    ['a code in the fragment', ({ state }) => `http://127.0.0.1:4/callback#code=c&state=${state}`],
    ['characters that are no code', () => 'c\u202ed'],
    ['a book', () => 'x'.repeat(1 << 20)],
  ])(
    'case 20, 21, 24, 28, 36, 37: %s is refused and counted, and the sign-in goes on',
    async (_, paste) => {
      const set = await begun();
      const { session, authorizing, tokenForms, consent, done } = set;
      const error = await session.completeSignIn(paste(set)).catch((thrown: unknown) => thrown);
      expect(error).toEqual(failing('malformed_response'));
      expect(error).toMatchObject({ hint: expect.stringContaining('copy the whole address') });
      expect(authorizing()).toMatchObject({
        name: 'authorizing',
        ignoredRedirects: 1,
        answerBy: 'paste',
      });
      expect(tokenForms).toEqual([]);
      await session.completeSignIn(await consent());
      await done;
    },
  );

  test.each<[string, (set: Awaited<ReturnType<typeof begun>>) => Promise<string> | string, string]>(
    [
      ['a denial', ({ consent }) => consent('deny'), 'access_denied'],
      [
        'another issuer',
        async ({ consent }) =>
          (await consent()).replace(/iss=[^&]*/, 'iss=https%3A%2F%2Fevil.example'),
        'issuer_mismatch',
      ],
      [
        'a code and an error',
        async ({ consent }) => `${await consent()}&error=x`,
        'malformed_response',
      ],
      ['two codes', async ({ consent }) => `${await consent()}&code=x`, 'malformed_response'],
    ],
  )('%s ends it', async (_, paste, code) => {
    const set = await begun();
    const text = await paste(set);
    await expect(set.session.completeSignIn(text)).rejects.toEqual(failing(code as never));
    await expect(set.done).rejects.toEqual(failing(code as never));
    expect(set.session.state).toEqual({ name: 'signedOut', reason: 'never' });
    expect(set.tokenForms).toEqual([]);
    expect(set.clock.pending).toBe(0);
  });

  test.each<[string, (address: URL) => string]>([
    ['as its query, without the question mark', ({ search }) => search.slice(1)],
    [
      'as the code alone, percent-encoded as it stands there',
      ({ searchParams }) => (searchParams.get('code') ?? '').replaceAll('-', '%2D'),
    ],
  ])('%s', async (_, paste) => {
    const { session, consent, done } = await begun();
    await session.completeSignIn(paste(new URL(await consent())));
    await done;
  });

  test('a text that might be a code and is none ends nothing; the right answer has its turn', async () => {
    const { session, consent, done, tokenForms } = await begun();
    const wrong = session.completeSignIn('correct-horse').catch((thrown: unknown) => thrown);
    const right = session.completeSignIn(await consent());
    right.catch(() => {});
    expect(await wrong).toEqual(failing('malformed_response'));
    await Promise.all([right, done]);
    expect(tokenForms).toHaveLength(2);
  });

  test('pasted twice it is exchanged once, and both are told the same', async () => {
    const { session, consent, done, tokenForms } = await begun();
    const address = await consent();
    await Promise.all([session.completeSignIn(address), session.completeSignIn(` ${address} `)]);
    await done;
    expect(tokenForms).toHaveLength(1);
    await expect(session.completeSignIn(address)).rejects.toEqual(failing('malformed_response'));
    expect(session.state.name).toBe('signedIn');
  });

  test('the address of an earlier sign-in is no answer to this one', async () => {
    const { session, consent, done, authorizing } = await begun();
    const address = await consent();
    const second = session.signIn({ whilePending: 'restart' });
    await expect(done).rejects.toEqual(failing('sign_in_cancelled'));
    await settle();
    await expect(session.completeSignIn(address)).rejects.toEqual(failing('malformed_response'));
    expect(authorizing()).toMatchObject({ name: 'authorizing', ignoredRedirects: 1 });
    void session.close();
    await expect(second).rejects.toEqual(failing('aborted'));
  });

  test('waits no longer than any other', async () => {
    const { session, clock, consent, done } = await begun();
    const address = await consent();
    await clock.advance(300_000);
    await expect(done).rejects.toEqual(failing('sign_in_timeout'));
    await expect(session.completeSignIn(address)).rejects.toEqual(failing('malformed_response'));
    expect(clock.pending).toBe(0);
  });
});

describe('who shows the address', () => {
  test('is given it', async () => {
    const openBrowser = jest.fn(async () => {});
    const { authorizing, url } = await begun({ openBrowser });
    expect(openBrowser.mock.calls).toEqual([[url.href]]);
    expect(authorizing()).toMatchObject({ window: 'open', answerBy: 'paste' });
  });

  test.each<[string, () => Promise<void>]>([
    ['rejects', () => Promise.reject(new Error('no browser'))],
    [
      'throws',
      () => {
        throw new Error('no browser');
      },
    ],
    ['never comes back', () => new Promise(() => {})],
  ])('ends nothing when it %s', async (_, openBrowser) => {
    const { session, authorizing, changes, consent, done } = await begun({ openBrowser });
    expect(authorizing()).toMatchObject({ window: 'open', answerBy: 'paste' });
    expect(changes.map(({ event }) => event)).toEqual(['signInRequested', 'addressReady']);
    await session.completeSignIn(await consent());
    await done;
  });
});

describe('at every platform', () => {
  const local = 'http://localhost:8080';
  const redirectUris = ['http://localhost:47821/callback', 'http://localhost:47822/callback'];
  const PLATFORMS: [string, SandboxProvider, () => Provider, string][] = [
    ['oauth', 'oauth', () => standard(), 'http://127.0.0.1:4/callback'],
    [
      'oauth, certain ports',
      'oauth',
      () => standard({ loopback: 'localhost', path: '/', ports: [47_831] }),
      'http://localhost:47831/',
    ],
    [
      'oauth, an address on the web',
      'oauth',
      () => standard(['https://plug-in.example/callback']),
      'https://plug-in.example/callback',
    ],
    [
      'prevu3d',
      'prevu3d',
      () => prevu3d({ clientId: 'any', scopes: ['read:basic'] }),
      'http://localhost:4',
    ],
    [
      'aps',
      'aps',
      () => aps({ clientId: 'any', scopes, redirectUris }),
      'http://localhost:47821/callback',
    ],
    [
      'speckle',
      'speckle',
      () =>
        speckle({
          serverUrl: local,
          appId: 'any',
          appSecret: 's',
          redirectUri: 'http://localhost:3000/callback',
        }),
      'http://localhost:3000/callback',
    ],
    [
      'opencde',
      'opencde',
      () => opencde({ serverUrl: local, clientId: 'any', redirectUris }),
      'http://localhost:47821/callback',
    ],
  ];

  test.each(PLATFORMS)('%s', async (_, platform, provider, redirectUri) => {
    const { session, consent, done, authorizing } = await begun({ platform, provider: provider() });
    expect(authorizing().answerBy).toBe('paste');
    const address = await consent();
    expect(address.startsWith(redirectUri)).toBe(true);
    await session.completeSignIn(`"${address}" `);
    await done;
    expect(session.state.name).toBe('signedIn');
  });

  test.each(PLATFORMS)('%s: a denial', async (_, platform, provider) => {
    const { session, consent, done } = await begun({ platform, provider: provider() });
    await session.completeSignIn(await consent('deny')).catch(() => {});
    await expect(done).rejects.toEqual(failing('access_denied'));
  });

  test.each(PLATFORMS)('%s: the code alone', async (_, platform, provider) => {
    const { session, consent, done } = await begun({ platform, provider: provider() });
    const { searchParams } = new URL(await consent());
    const code = searchParams.get('code') ?? searchParams.get('access_code') ?? '';
    await session.completeSignIn(code);
    await done;
    expect(session.state.name).toBe('signedIn');
  });
});
