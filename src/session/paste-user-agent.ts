import type { RedirectRule, RedirectUserAgent } from '../ports/index.js';

export interface PasteUserAgentOptions {
  /** Shows the address to the user, if anything here can; it is in the session's state, too. */
  readonly openBrowser?: (url: string) => Promise<void>;
}

/**
 * On most systems only the system itself can listen there, and it does not. Not one of the ports that browsers
 * refuse, such as 1: Firefox then stays on the consent page, and there is no address to copy.
 */
const NOBODYS_PORT = 4;

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
        try {
          await openBrowser?.(url);
        } catch {
          // Who cannot open it here opens it elsewhere.
        }
      },
      async close() {},
    }),
  };
}

function nobodysUri(redirect: RedirectRule): string {
  if (!('loopback' in redirect)) return redirect[0] ?? '';
  const { loopback, path, ports } = redirect;
  return `http://${loopback}:${ports === 'any' ? NOBODYS_PORT : (ports[0] ?? NOBODYS_PORT)}${path}`;
}
