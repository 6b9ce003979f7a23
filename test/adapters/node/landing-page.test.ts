import { createHash } from 'node:crypto';
import {
  DEFAULT_TEXTS,
  SECURITY_HEADERS,
  buildLandingPage,
  buildLandingTexts,
} from '../../../adapters/node/landing-page.js';
import type { LandingSubject } from '../../../adapters/node/landing-page.js';
import { MortiseError } from '../../../src/errors.js';

// jsdom brings no types.
type Dom = new (html: string) => { readonly window: { readonly document: Document } };
const { JSDOM } = jest.requireActual<{ JSDOM: Dom }>('jsdom');

const DENIED = { kind: 'failed', error: new MortiseError('access_denied', {}) } as const;

const SUBJECTS: [string, LandingSubject, string][] = [
  ['signedIn', { kind: 'signedIn' }, 'Signed in'],
  ['failed', DENIED, 'Not signed in'],
  ['ignored', { kind: 'ignored' }, 'Unexpected answer'],
  ['refused', { kind: 'refused' }, 'Nothing here'],
];

const documentOf = (subject: LandingSubject, texts = DEFAULT_TEXTS) =>
  new JSDOM(buildLandingPage(200, texts, subject).body).window.document;

describe.each(SUBJECTS)('the page for %s', (kind, subject, title) => {
  const page = buildLandingPage(200, DEFAULT_TEXTS, subject);
  const { document } = new JSDOM(page.body).window;

  test('has one heading in one main landmark, and a language', () => {
    expect(document.querySelectorAll('main h1')).toHaveLength(1);
    expect(document.querySelectorAll('h1, main')).toHaveLength(2);
    expect(document.querySelector('h1')?.textContent).toBe(title);
    expect(document.title).toBe(title);
    expect(document.documentElement.lang).toBe('en');
    expect(document.querySelector('meta[name=viewport]')).not.toBeNull();
  });

  test('says what to do next', () => {
    expect(document.querySelector('main')?.textContent).toContain('go back to the application');
  });

  test('case 60: says that somebody is signed in when somebody is, and only then', () => {
    expect(/(?<!not )signed in/i.test(page.body.replace(/<style>[^]*<\/style>/, ''))).toBe(
      kind === 'signedIn',
    );
  });

  test('case 57: has no script, no link, no form, no attribute that runs or loads', () => {
    expect(
      document.querySelectorAll('script, link, a, img, iframe, form, base, meta[http-equiv]'),
    ).toHaveLength(0);
    const names = [...document.querySelectorAll('*')].flatMap((element) =>
      element.getAttributeNames(),
    );
    expect(names.filter((name) => /^(on|style$|src|href|xlink)/.test(name))).toEqual([]);
    expect(page.body).not.toMatch(/url\(|@import|https?:/);
  });

  test('case 57: its one style is the one its policy names', () => {
    const styles = [...document.querySelectorAll('style')].map((style) => style.textContent ?? '');
    const hashes = styles.map(
      (style) => `'sha256-${createHash('sha256').update(style).digest('base64')}'`,
    );
    const policy = page.headers['Content-Security-Policy'];
    expect(policy).toBe(
      `default-src 'none'; style-src ${hashes.join()}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
    );
  });

  test('case 40: is kept by nobody and tells nobody where it was', () => {
    expect(page.headers).toMatchObject({
      'Cache-Control': 'no-store',
      'Referrer-Policy': 'no-referrer',
      'X-Content-Type-Options': 'nosniff',
      'X-Frame-Options': 'DENY',
      'Content-Type': 'text/html; charset=utf-8',
    });
    expect(page.headers).toMatchObject(SECURITY_HEADERS);
  });
});

test('a failure is told in the error’s own words: what happened and what to do', () => {
  const text = documentOf(DENIED).querySelector('main')?.textContent;
  expect(text).toContain(DENIED.error.message);
  expect(text).toContain(DENIED.error.hint);
});

test('nothing of what a server said is on the page', () => {
  const details = { error: 'canary', errorDescription: 'canary' };
  const error = new MortiseError('access_denied', details);
  expect(buildLandingPage(200, DEFAULT_TEXTS, { kind: 'failed', error }).body).not.toContain(
    'canary',
  );
});

test('case 57: whatever is in a text stays text', () => {
  const evil = `"><script>alert('1')</script><img src=x onerror=alert(1)>&lt;`;
  const error = new MortiseError('access_denied', {}, { hint: evil });
  const texts = buildLandingTexts({ lang: evil, appName: evil, failedTitle: evil, goBack: evil });
  const document = documentOf({ kind: 'failed', error }, texts);
  expect(document.querySelectorAll('script, img')).toHaveLength(0);
  expect(document.querySelector('h1')?.textContent).toBe(evil);
  expect(document.title).toBe(`${evil} · ${evil}`);
  expect(document.documentElement.lang).toBe(evil);
  expect([...document.querySelectorAll('p')].map((p) => p.textContent)).toEqual(
    expect.arrayContaining([evil]),
  );
});

test('an author can say everything in another language, error by error', () => {
  const texts = buildLandingTexts({
    lang: 'ar',
    dir: 'rtl',
    appName: 'Werkplan',
    failedTitle: 'Nicht angemeldet',
    goBack: 'Zurück zu Werkplan.',
    errors: {
      access_denied: { message: 'Abgelehnt.', hint: 'Noch einmal.' },
      timeout: { hint: 'Warten.' },
    },
  });
  const { documentElement } = documentOf(DENIED, texts);
  expect(documentElement.dir).toBe('rtl');
  const words = (subject: LandingSubject) =>
    [...documentOf(subject, texts).querySelectorAll('h1, p')].map(({ textContent }) => textContent);
  expect(words(DENIED)).toEqual([
    'Werkplan',
    'Nicht angemeldet',
    'Abgelehnt.',
    'Noch einmal.',
    'Zurück zu Werkplan.',
  ]);
  const error = new MortiseError('timeout', { host: 'as.example', timeoutMs: 1 });
  expect(words({ kind: 'failed', error }).slice(2, 4)).toEqual([error.message, 'Warten.']);
});

test.each([[undefined], [{}], [{ goBack: undefined }]])(
  'texts left out (%p) are the English ones',
  (texts) => {
    expect(buildLandingTexts(texts as object)).toEqual(DEFAULT_TEXTS);
  },
);
