import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { webCrypto } from '../../adapters/web/web-crypto.js';
import { base64, base64url } from '../../src/oauth/base64url.js';
import { codeChallengeOf, createPkce, randomText } from '../../src/oauth/pkce.js';
import * as pkce from '../../src/oauth/pkce.js';
import type { CryptoProvider } from '../../src/ports/index.js';

const MANY = 20_000;

describe('base64url', () => {
  test('case 2: every byte value, at every place of a group', () => {
    for (let value = 0; value < 256; value += 1) {
      for (const bytes of [[value], [0, value], [255, value], [0, 0, value], [255, 255, value]]) {
        expect(base64url(Uint8Array.from(bytes))).toBe(Buffer.from(bytes).toString('base64url'));
      }
    }
  });

  test('case 2: bytes of any length, with and without padding', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        expect(base64url(bytes)).toBe(Buffer.from(bytes).toString('base64url'));
        expect(base64(bytes)).toBe(Buffer.from(bytes).toString('base64'));
      }),
    );
  });
});

describe('PKCE', () => {
  test('case 2: the vector of RFC 7636 appendix B', async () => {
    const octets = [
      116, 24, 223, 180, 151, 153, 224, 37, 79, 250, 96, 125, 216, 173, 187, 186, 22, 212, 37, 77,
      105, 214, 191, 240, 91, 88, 5, 88, 83, 132, 141, 121,
    ];
    const crypto = { ...webCrypto, randomBytes: () => Uint8Array.from(octets) };
    expect(await createPkce(crypto)).toEqual({
      codeVerifier: 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk',
      codeChallenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
    });
  });

  test('case 1: 20,000 verifiers are unreserved characters, long enough, and never repeat', () => {
    const seen = new Set<string>();
    for (let n = 0; n < MANY; n += 1) seen.add(randomText(webCrypto));
    expect(seen.size).toBe(MANY);
    expect([...seen].filter((text) => !/^[A-Za-z0-9._~-]{43,128}$/.test(text))).toEqual([]);
  });

  test('case 1 and 5: each takes 256 bits from the host, all of them kept', () => {
    const asked: number[] = [];
    const bytes = Uint8Array.from({ length: 32 }, (_, at) => at * 8 + 1);
    const text = randomText({
      ...webCrypto,
      randomBytes: (length) => (asked.push(length), bytes.slice(0, length)),
    });
    expect(asked).toEqual([32]);
    expect([...Buffer.from(text, 'base64url')]).toEqual([...bytes]);
  });

  test('case 5: verifier and state of one attempt have nothing in common', async () => {
    const { codeVerifier, codeChallenge } = await createPkce(webCrypto);
    const state = randomText(webCrypto);
    expect(new Set([codeVerifier, codeChallenge, state]).size).toBe(3);
  });

  test('case 2: the challenge is the hash of the verifier’s ASCII text', async () => {
    for (let n = 0; n < 200; n += 1) {
      const { codeVerifier, codeChallenge } = await createPkce(webCrypto);
      const hash = createHash('sha256').update(codeVerifier, 'ascii').digest('base64url');
      expect(codeChallenge).toBe(hash);
      expect(await codeChallengeOf(webCrypto, codeVerifier)).toBe(hash);
    }
  });

  test('case 3: nothing here makes a plain challenge', async () => {
    expect(Object.keys(pkce).sort()).toEqual(['codeChallengeOf', 'createPkce', 'randomText']);
    const { codeVerifier, codeChallenge } = await createPkce(webCrypto);
    expect(codeChallenge).not.toBe(codeVerifier);
  });

  test.each<[name: string, crypto: CryptoProvider]>([
    [
      'no random source',
      {
        ...webCrypto,
        randomBytes: () => {
          throw new Error('no source');
        },
      },
    ],
    ['no hash', { ...webCrypto, sha256: () => Promise.reject(new Error('no source')) }],
  ])('case 4: %s, no verifier; Math.random is not asked', async (_, crypto) => {
    const weaker = jest.spyOn(Math, 'random');
    await expect(createPkce(crypto)).rejects.toThrow('no source');
    expect(weaker).not.toHaveBeenCalled();
    weaker.mockRestore();
  });
});
