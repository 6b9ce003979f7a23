import type { RedirectMessage } from './redirect-message.js';

/** Longer than any server's answer, and than any browser's address bar shows. */
const LONGEST_URL = 32_768;
const LONGEST_ID = 64;

/** Whatever was sent, from wherever: `null` for what is no message from a redirect page of this origin. */
export function readRedirectMessage(data: unknown, origin: string): RedirectMessage | null {
  try {
    const { mortise, id, url } = Object(data) as Record<string, unknown>;
    const isText = typeof id === 'string' && typeof url === 'string';
    if (mortise !== 1 || !isText || id.length > LONGEST_ID || url.length > LONGEST_URL) return null;
    return new URL(url).origin === origin ? { mortise, id, url } : null;
  } catch {
    return null; // A getter that throws, or text that is no address.
  }
}
