import type { CryptoProvider } from '../ports/index.js';
import { base64url } from './base64url.js';

export interface Pkce {
  readonly codeVerifier: string;
  /** For S256, the only method there is here: `plain` protects from nobody (RFC 9700 section 2.1.1). */
  readonly codeChallenge: string;
}

/** 32 random bytes (256 bits) in base64url: 43 characters. For `state` too. */
export const randomText = (crypto: CryptoProvider): string => base64url(crypto.randomBytes(32));

/** @see RFC 7636 section 4.2 */
export async function codeChallengeOf(
  crypto: CryptoProvider,
  codeVerifier: string,
): Promise<string> {
  return base64url(await crypto.sha256(new TextEncoder().encode(codeVerifier)));
}

/**
 * Makes a fresh verifier and its challenge, for one authorization request.
 *
 * @throws Whatever `crypto` throws: without a cryptographic source there is no sign-in.
 * @see RFC 7636 sections 4.1 and 4.2
 */
export async function createPkce(crypto: CryptoProvider): Promise<Pkce> {
  const codeVerifier = randomText(crypto);
  return { codeVerifier, codeChallenge: await codeChallengeOf(crypto, codeVerifier) };
}
