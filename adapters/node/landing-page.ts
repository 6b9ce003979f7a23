import type { ErrorCode } from '../../src/errors.js';
import type { RedirectOutcome } from '../../src/ports/index.js';

export interface ErrorTexts {
  readonly message?: string;
  readonly hint?: string;
}

/** Every word the browser shows at the end of a sign-in. */
export interface LandingTexts {
  /** BCP 47, such as `de` or `pt-BR`. */
  readonly lang: string;
  readonly dir: 'ltr' | 'rtl';
  /** Shown above the heading and in the title of the tab. */
  readonly appName?: string;
  readonly signedInTitle: string;
  readonly failedTitle: string;
  readonly ignoredTitle: string;
  readonly ignoredText: string;
  readonly refusedTitle: string;
  readonly refusedText: string;
  /** The last line, whether or not the sign-in worked: the user is needed in the application now. */
  readonly goBack: string;
  /** In place of the library's English, code by code. */
  readonly errors: { readonly [C in ErrorCode]?: ErrorTexts };
}

export const DEFAULT_TEXTS: LandingTexts = {
  lang: 'en',
  dir: 'ltr',
  signedInTitle: 'Signed in',
  failedTitle: 'Not signed in',
  ignoredTitle: 'Unexpected answer',
  ignoredText: 'This answer does not belong to a sign-in that is waiting.',
  refusedTitle: 'Nothing here',
  refusedText: 'This address only takes the answer to a sign-in.',
  goBack: 'You can close this tab and go back to the application.',
  errors: {},
};

/** What an author left out is said in English. */
export function buildLandingTexts(texts: Partial<LandingTexts> = {}): LandingTexts {
  const given = Object.entries(texts).filter(([, text]) => text !== undefined);
  return { ...DEFAULT_TEXTS, ...Object.fromEntries(given) };
}

/** An HTTP answer, ready to be written. */
export interface LandingPage {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What a page can be about: a redirect's outcome, or a request that is not a redirect at all. */
export type LandingSubject = RedirectOutcome | { readonly kind: 'refused' };

const STYLE = `
:root{color-scheme:light dark;--back:#f3f5f7;--card:#fff;--edge:#d9dee4;--ink:#1b1f24;--soft:#4b5560;--good:#1a7f37;--bad:#b3261e}
@media (prefers-color-scheme:dark){:root{--back:#14171a;--card:#1e2226;--edge:#353c44;--ink:#eef1f4;--soft:#b3bcc6;--good:#56d07b;--bad:#ff8f86}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;padding:1rem;display:grid;place-items:center;background:var(--back);color:var(--ink);font:1rem/1.5 system-ui,sans-serif}
main{width:100%;max-width:27rem;padding:2.25rem 1.75rem;background:var(--card);border:1px solid var(--edge);border-radius:.75rem;text-align:center;text-wrap:balance;overflow-wrap:break-word}
svg{display:block;margin:0 auto 1rem;width:3.25rem;height:3.25rem;fill:none;stroke:var(--soft);stroke-width:2;stroke-linecap:round;stroke-linejoin:round}
.signedIn svg{stroke:var(--good)}
.failed svg{stroke:var(--bad)}
h1{margin:0 0 1rem;font-size:1.5rem;line-height:1.25}
p{margin:.5rem 0 0}
p::first-letter{text-transform:uppercase}
.app{margin:0 0 .25rem;color:var(--soft);font-size:.9375rem}
.next{margin-top:1.25rem;padding-top:1.25rem;border-top:1px solid var(--edge);color:var(--soft)}
h1+.next{margin-top:0;padding-top:0;border-top:0}
`;

/** Of STYLE. A constant keeps `node:crypto` out of the import; a test recomputes it. */
const STYLE_HASH = 'sha256-yuyrqTqORwMxKHyFYoN/TR32Q/KwkS5YjY23WMsqA/Y=';

/** On every answer of the loopback server, so that nothing is kept, framed, guessed at or passed on. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy': `default-src 'none'; style-src '${STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  // Whoever opened this tab loses hold of it. Nothing here needs an opener: the tab was the browser's.
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  Connection: 'close',
};

const ICONS: Readonly<Record<LandingSubject['kind'], string>> = {
  signedIn: '<path d="m7.5 12.5 3 3 6-7"/>',
  failed: '<path d="m8.5 8.5 7 7m0-7-7 7"/>',
  ignored: '<path d="M12 7v6m0 3.5v.01"/>',
  refused: '<path d="M12 7v6m0 3.5v.01"/>',
};

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

const escapeHtml = (text: string) =>
  String(text).replace(/[&<>"']/g, (mark) => ENTITIES[mark] ?? '');

/** The heading, and the paragraphs below it. */
function readWords(texts: LandingTexts, subject: LandingSubject): readonly [string, ...string[]] {
  switch (subject.kind) {
    case 'signedIn':
      return [texts.signedInTitle];
    case 'ignored':
      return [texts.ignoredTitle, texts.ignoredText];
    case 'refused':
      return [texts.refusedTitle, texts.refusedText];
    case 'failed': {
      const { error } = subject;
      const { message = error.message, hint = error.hint } = texts.errors[error.code] ?? {};
      return [texts.failedTitle, message, hint];
    }
  }
}

/**
 * Builds a page from the texts and the outcome alone: nothing of any request can get into it, and it
 * says "signed in" for the outcome `signedIn` only. No script, nothing external.
 */
export function buildLandingPage(
  status: number,
  texts: LandingTexts,
  subject: LandingSubject,
): LandingPage {
  const { appName = '' } = texts;
  const [title, ...paragraphs] = readWords(texts, subject);
  const app = appName && `<p class="app">${escapeHtml(appName)}</p>\n`;
  const body = `<!doctype html>
<html lang="${escapeHtml(texts.lang)}" dir="${escapeHtml(texts.dir)}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(appName ? `${title} · ${appName}` : title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main class="${subject.kind}">
<svg viewBox="0 0 24 24" aria-hidden="true"><circle cx="12" cy="12" r="10.5"/>${ICONS[subject.kind]}</svg>
${app}<h1>${escapeHtml(title)}</h1>
${paragraphs.map((text) => `<p>${escapeHtml(text)}</p>\n`).join('')}<p class="next">${escapeHtml(texts.goBack)}</p>
</main>
</body>
</html>
`;
  return {
    status,
    headers: { ...SECURITY_HEADERS, 'Content-Type': 'text/html; charset=utf-8' },
    body,
  };
}
