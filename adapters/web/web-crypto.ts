import { MortiseError } from '../../src/errors.js';
import type { CryptoProvider } from '../../src/ports/index.js';

/**
 * Web Crypto, looked up at each call.
 *
 * A page outside a secure context (plain http, some `file:` panels) has random bytes but no
 * `crypto.subtle`: there `sha256` rejects, and an adapter for such pages brings another
 * (`{ ...webCrypto, sha256 }`).
 */
export const webCrypto: CryptoProvider = {
  randomBytes(length) {
    // Absent in some hosts, whatever the types say.
    const crypto: Partial<typeof globalThis.crypto> | undefined = globalThis.crypto;
    if (!crypto?.getRandomValues) throw missing('crypto.getRandomValues');
    return crypto.getRandomValues(new Uint8Array(length));
  },
  async sha256(data) {
    const crypto: Partial<typeof globalThis.crypto> | undefined = globalThis.crypto;
    if (!crypto?.subtle) throw missing('crypto.subtle');
    return new Uint8Array(await crypto.subtle.digest('SHA-256', data as Uint8Array<ArrayBuffer>));
  },
};

function missing(name: string): MortiseError {
  return new MortiseError('configuration_error', { problem: `this host has no ${name}` });
}
