import { MortiseError, type SessionState } from 'mortise';
import { ENGLISH } from '../../../adapters/element/texts.js';
import { viewOf, type Seen } from '../../../adapters/element/view.js';

const seen = (state: SessionState | null, more: Partial<Seen> = {}) =>
  viewOf({
    state,
    texts: ENGLISH,
    error: null,
    user: null,
    isOwn: true,
    canPaste: true,
    ...more,
  });

const URL_TEXT = 'https://as.example/authorize?state=s';
const authorizing = {
  name: 'authorizing',
  startedAtMs: 0,
  expiresAtMs: 300_000,
  window: 'open',
  authorizationUrl: URL_TEXT,
  ignoredRedirects: 0,
} as const;
const signedIn = { name: 'signedIn', expiresAtMs: 5, scopes: [] } as const;
const device = {
  userCode: 'WDJB-MJHT',
  verificationUri: 'https://as.example/device',
  verificationUriComplete: null,
};

const blocked = new MortiseError('popup_blocked', {});
const offline = new MortiseError('network_error', { host: 'as.example' });
const cancelled = new MortiseError('sign_in_cancelled', {});

describe('each state is told', () => {
  // prettier-ignore
  test.each<[string, SessionState | null, string, string]>([
    ['no session yet',  null,                                          '',                 ''],
    ['idle',            { name: 'idle' },                              ENGLISH.signedOut,  'signIn'],
    ['restoring',       { name: 'restoring' },                         ENGLISH.restoring,  ''],
    ['never signed in', { name: 'signedOut', reason: 'never' },        ENGLISH.signedOut,  'signIn'],
    ['signed out',      { name: 'signedOut', reason: 'signedOut' },    ENGLISH.signedOut,  'signIn'],
    ['rejected',        { name: 'signedOut', reason: 'rejected' },     ENGLISH.rejected,   'signIn'],
    ['damaged',         { name: 'signedOut', reason: 'damaged' },      ENGLISH.damaged,    'signIn'],
    ['preparing',       { ...authorizing, authorizationUrl: null },    ENGLISH.preparing,  'cancel'],
    ['waiting',         authorizing,                                   ENGLISH.waiting,    'cancel'],
    ['window lost',     { ...authorizing, window: 'lost' },            ENGLISH.lost,       'tryAgain cancel'],
    ['paste',           { ...authorizing, answerBy: 'paste' },         ENGLISH.paste,      'cancel'],
    ['device',          { ...authorizing, device },                    ENGLISH.device,     'cancel'],
    ['exchanging',      { name: 'exchanging' },                        ENGLISH.exchanging, ''],
    ['signed in',       signedIn,                                      ENGLISH.signedIn,   'signOut'],
    ['refreshing',      { name: 'refreshing' },                        ENGLISH.signedIn,   'signOut'],
    ['degraded',        { name: 'degraded', retryAtMs: 9 },            ENGLISH.degraded,   'signOut'],
    ['signing out',     { name: 'signingOut' },                        ENGLISH.signingOut, ''],
  ])('%s', (_, state, status, actions) => {
    const view = seen(state);
    expect({ status: view.status, actions: view.actions.join(' ') }).toEqual({ status, actions });
  });
});

describe('a sign-in under way', () => {
  test('shows until when it waits', () => {
    expect(seen(authorizing).untilMs).toBe(300_000);
    expect(seen({ ...authorizing, authorizationUrl: null }).untilMs).toBe(null);
    expect(seen({ name: 'exchanging' }).untilMs).toBe(null);
  });

  test('cannot be cancelled here when it was begun elsewhere', () => {
    expect(seen(authorizing, { isOwn: false }).actions).toEqual([]);
    expect(seen({ ...authorizing, window: 'lost' }, { isOwn: false }).actions).toEqual([
      'tryAgain',
    ]);
  });

  test('whose window is lost has a link to open by hand', () => {
    const view = seen({ ...authorizing, window: 'lost' });
    expect(view.link).toEqual({ href: URL_TEXT });
    expect(view.notes).toEqual([]);
  });

  test('case 71: whose popup was blocked says so, and offers the link', () => {
    const view = seen({ ...authorizing, window: 'lost' }, { error: blocked });
    expect(view.status).toBe(ENGLISH.openYourself);
    expect(view.link).toEqual({ href: URL_TEXT });
    const text = `${ENGLISH.problems.popup_blocked} ${blocked.hint}`;
    expect(view.notes).toEqual([{ tone: 'problem', text }]);
  });

  test('on another device shows address and code, and the address with the code in it is the link', () => {
    const complete = `${device.verificationUri}?user_code=WDJB-MJHT`;
    const view = seen({ ...authorizing, authorizationUrl: complete, device });
    expect(view.deviceCode).toBe('WDJB-MJHT');
    expect(view.link).toEqual({ href: complete, text: device.verificationUri });
  });

  test('that waits for a paste has a place to paste, where the session can take it', () => {
    const paste = { ...authorizing, answerBy: 'paste' } as const;
    expect(seen(paste).canPaste).toBe(true);
    expect(seen(paste, { canPaste: false }).canPaste).toBe(false);
    expect(seen(authorizing).canPaste).toBe(false);
  });

  test('that nobody guards says so', () => {
    const view = seen({ ...authorizing, weakness: 'pkce_not_checked' });
    expect(view.notes).toEqual([{ tone: 'notice', text: ENGLISH.pkceNotChecked }]);
  });

  test.each([
    'javascript:alert(1)',
    'data:text/html,x',
    'file:///etc/passwd',
    ' https://a',
    'httpx://a',
  ])('case 92: an address such as %s becomes no link', (authorizationUrl) => {
    expect(seen({ ...authorizing, window: 'lost', authorizationUrl }).link).toBe(null);
    expect(seen({ ...authorizing, authorizationUrl, device }).link).toBe(null);
  });
});

describe('what went wrong is told', () => {
  const out = { name: 'signedOut', reason: 'never' } as const;

  test('with what to do about it', () => {
    const text = `${ENGLISH.problems.network_error} ${offline.hint}`;
    expect(seen(out, { error: offline }).notes).toEqual([{ tone: 'problem', text }]);
    expect(seen({ name: 'degraded', retryAtMs: 9 }, { error: offline }).notes).toEqual([
      { tone: 'problem', text },
    ]);
  });

  test('in the words of the page, where it has some', () => {
    const texts = {
      ...ENGLISH,
      problems: { network_error: 'Offline.' },
      hints: { network_error: 'Kabel?' },
    };
    expect(seen(out, { error: offline, texts }).notes[0]?.text).toBe('Offline. Kabel?');
  });

  test('by its code, where there are no words', () => {
    const error = new MortiseError('issuer_mismatch', { expected: 'a', received: 'b' });
    expect(seen(out, { error }).notes[0]?.text).toBe(
      `${ENGLISH.failed} (issuer_mismatch) ${error.hint}`,
    );
  });

  test('but to cancel is no failure', () => {
    expect(seen(out, { error: cancelled }).notes).toEqual([
      { tone: 'notice', text: ENGLISH.problems.sign_in_cancelled },
    ]);
  });
});

describe('one who is signed in', () => {
  test('is told who that is, as text', () => {
    expect(seen(signedIn, { user: '<b>Ann</b> {time}' }).status).toBe(
      'Signed in as <b>Ann</b> {time}',
    );
  });

  test('is told of tokens that are not saved and of another user', () => {
    const view = seen({ ...signedIn, unsaved: true, userChanged: true });
    expect(view.notes.map(({ text }) => text)).toEqual([ENGLISH.unsaved, ENGLISH.userChanged]);
  });

  test('hears nothing of tokens that run out', () => {
    expect(seen(signedIn).untilMs).toBe(null);
  });
});
