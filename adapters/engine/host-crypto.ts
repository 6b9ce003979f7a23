import { fromBase64 } from '@exodus/bytes/base64.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { misconfigured } from '../../src/errors.js';
import type { CryptoProvider } from '../../src/ports/index.js';
import type { HostFunction } from './host-function.js';

/** From here on the same bytes twice are no chance: one in 2^64. */
const TELLING_LENGTH = 8;

/**
 * Randomness of the host's operating system, and SHA-256 of @noble/hashes, FIPS 180-4.
 *
 * There is nothing else to fall back on for randomness: `Math.random` can be guessed.
 *
 * @throws {MortiseError} `configuration_error` where the host has none, or the same as before.
 */
export function createHostCrypto(host: HostFunction): CryptoProvider {
  let last = '';
  return {
    randomBytes(length) {
      const text = readText(host, length);
      let bytes: Uint8Array;
      try {
        bytes = fromBase64(text);
      } catch {
        throw misconfigured('the host’s random is no base64');
      }
      if (bytes.length !== length) throw misconfigured('the host’s random has another length');
      if (length >= TELLING_LENGTH) {
        if (text === last) throw misconfigured('the host’s random repeats itself');
        last = text;
      }
      return bytes;
    },
    sha256: async (data) => sha256(data),
  };
}

function readText(host: HostFunction, length: number): string {
  let text: unknown;
  try {
    const answer = host.askNow('random', { length });
    text = answer.refused === null && answer.result;
  } catch {
    // A promise comes too late: verifier and state are made inside the user's click.
  }
  if (typeof text !== 'string') throw misconfigured('the host function has no random, at once');
  return text;
}
