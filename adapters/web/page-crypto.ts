import { misconfigured } from '../../src/errors.js';
import type { CryptoProvider } from '../../src/ports/index.js';
import { webCrypto } from './web-crypto.js';

/**
 * Web Crypto, and where a page has no `crypto.subtle` (plain http, HTML that was injected into about:blank,
 * `data:`) SHA-256 of `@noble/hashes`, FIPS 180-4, in a file of its own that other pages never load. So PKCE
 * (RFC 7636) is never left out.
 *
 * Randomness comes from `crypto.getRandomValues`, which all these pages have, or not at all.
 *
 * @throws {MortiseError} `configuration_error`.
 */
export const pageCrypto: CryptoProvider = {
  randomBytes: webCrypto.randomBytes,
  // By use: what is there may throw.
  sha256: (data) => webCrypto.sha256(data).catch(async () => (await loadSha256())(data)),
};

async function loadSha256(): Promise<(data: Uint8Array) => Uint8Array> {
  try {
    return (await import('./sha256.js')).sha256;
  } catch {
    throw misconfigured('the file with SHA-256 for pages without crypto.subtle was not loaded');
  }
}
