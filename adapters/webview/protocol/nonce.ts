import type { CryptoProvider } from '../../../src/ports/index.js';
import { webCrypto } from '../../web/web-crypto.js';

const NONCE = /^[\w-]{22,128}$/;

export const isNonce = (text: unknown): text is string =>
  typeof text === 'string' && NONCE.test(text);

/** 128 random bits in hexadecimal: of a nonce, of a request. @throws {MortiseError} `configuration_error` without a source. */
export const randomName = (crypto: CryptoProvider = webCrypto): string =>
  [...crypto.randomBytes(16)].map((byte) => byte.toString(16).padStart(2, '0')).join('');

/** For a host in JavaScript: the secret of one load of its panel's page (PROTOCOL.md section 2). */
export const createNonce = (): string => randomName();

/** What the host handed to this page: by script, in the HTML, or in the fragment. `null` when it did not. */
export function findNonce(): string | null {
  const page = globalThis as { mortiseNonce?: unknown; document?: unknown; location?: unknown };
  const { document, location } = page as { document?: Document; location?: Location };
  const found = [
    () => page.mortiseNonce,
    () => document?.querySelector('meta[name="mortise-nonce"]')?.getAttribute('content'),
    () => /[#&]mortise-nonce=([\w-]+)/.exec(location?.hash ?? '')?.[1],
  ];
  for (const look of found) {
    try {
      const nonce = look();
      if (isNonce(nonce)) return nonce;
    } catch {
      // A page that is only half one.
    }
  }
  return null;
}
