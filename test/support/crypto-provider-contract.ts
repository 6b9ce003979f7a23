import type { CryptoProvider } from '../../src/ports/index.js';

const bytes = (text: string) => new TextEncoder().encode(text);

/** What every source of randomness and hashes must do. */
export function describeCryptoProvider(name: string, setup: () => CryptoProvider): void {
  describe(`${name}: a crypto provider`, () => {
    test.each([1, 16, 32, 64])('gives %i random bytes', (length) => {
      const random = setup().randomBytes(length);
      expect(random).toBeInstanceOf(Uint8Array);
      expect(random).toHaveLength(length);
    });

    test('never gives the same twice, and every bit both ways', () => {
      const crypto = setup();
      const seen = new Set<string>();
      const ones = new Uint8Array(16);
      const zeros = new Uint8Array(16);
      for (let round = 0; round < 200; round += 1) {
        const random = crypto.randomBytes(16);
        seen.add(String(random));
        random.forEach((byte, i) => {
          ones[i] = (ones[i] ?? 0) | byte;
          zeros[i] = (zeros[i] ?? 0) | ~byte;
        });
      }
      expect(seen.size).toBe(200);
      expect([...ones, ...zeros]).toEqual(Array(32).fill(255));
    });

    // FIPS 180-4 examples, RFC 7636 appendix B, and the lengths at which padding takes another block.
    test.each([
      ['', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
      ['abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
      [
        'abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq',
        '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1',
      ],
      [
        'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk',
        '13d31e961a1ad8ec2f16b10c4c982e0876a878ad6df144566ee1894acb70f9c3',
      ],
      ['a'.repeat(55), '9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318'],
      ['a'.repeat(56), 'b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a'],
      ['a'.repeat(64), 'ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb'],
    ])('hashes %j', async (text, expected) => {
      const digest = await setup().sha256(bytes(text));
      expect(digest).toBeInstanceOf(Uint8Array);
      expect(Buffer.from(digest).toString('hex')).toBe(expected);
    });

    test('hashes part of a larger buffer', async () => {
      const digest = await setup().sha256(bytes('xabcx').subarray(1, 4));
      expect(Buffer.from(digest).toString('hex')).toMatch(/^ba7816bf/);
    });
  });
}
