import type { RedirectRule, RedirectUserAgent } from '../ports/index.js';

export interface PasteUserAgentOptions {
  /** Shows the address to the user, if anything here can; it is in the session's state, too. */
  readonly openBrowser?: (url: string) => Promise<void>;
}

/**
 * The last resort, which always works: nothing listens for the redirect, and the user pastes the address the
 * browser ended on, or the code in it, for `completeSignIn`.
 */
export function pasteUserAgent({ openBrowser }: PasteUserAgentOptions = {}): RedirectUserAgent {
  return {
    open: async ({ redirect }) => ({
      redirectUri: nobodysUri(redirect),
      answerBy: 'paste',
      async navigate(url) {
        // Who cannot open it here opens it elsewhere.
        await openBrowser?.(url).catch(() => {});
      },
      async close() {},
    }),
  };
}

/** Port 1 belongs to the system, so that no program of another user can be there to take the code. */
function nobodysUri(redirect: RedirectRule): string {
  if (!('loopback' in redirect)) return redirect[0] ?? '';
  const { loopback, path, ports } = redirect;
  return `http://${loopback}:${ports === 'any' ? 1 : (ports[0] ?? 1)}${path}`;
}
