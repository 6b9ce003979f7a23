import { pageCrypto } from '../../../adapters/web/page-crypto.js';
import { describeCryptoProvider } from '../../support/crypto-provider-contract.js';

const original = Object.getOwnPropertyDescriptor(globalThis, 'crypto') ?? {};
const replace = (value: unknown) =>
  Object.defineProperty(globalThis, 'crypto', { value, configurable: true });
const restore = () => void Object.defineProperty(globalThis, 'crypto', original);

const { crypto } = globalThis;
const insecurePage = {
  getRandomValues: <T extends Uint8Array<ArrayBuffer>>(array: T) => crypto.getRandomValues(array),
};

describeCryptoProvider('pageCrypto in a secure context', () => pageCrypto);

describe('case 4: in a page without crypto.subtle', () => {
  beforeEach(() => replace(insecurePage));
  afterEach(restore);

  describeCryptoProvider('pageCrypto', () => pageCrypto);

  // NIST CAVP, SHA-256 short and long messages.
  test.each([
    ['d3', '28969cdfa74a12c82f3bad960b0b000aca2ac329deea5c2328ebc6f2ba9802c1'],
    ['11af', '5ca7133fa735326081558ac312c620eeca9970d1e70a4b95533d956f072d1f98'],
    ['b4190e', 'dff2e73091f6c05e528896c4c831b9448653dc2ff043528f6769437bc7b975c2'],
    ['74ba2521', 'b16aa56be3880d18cd41e68384cf1ec8c17680c45a02b1575dc1518923ae8b0e'],
    [
      '5a86b737eaea8ee976a0a24da63e7ed7eefad18a101c1211e2b3650c5187c2a8a650547208251f6d4237e661c7bf4c77f335390394c37fa1a9f9be836ac28509',
      '42e61e174fbb3897d6dd6cef3dd2802fe67b331953b06114a65c772859dfc1aa',
    ],
    ['61'.repeat(1_000_000), 'cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0'],
  ])('hashes %.20s as NIST has it', async (message, digest) => {
    const hash = await pageCrypto.sha256(Buffer.from(message, 'hex'));
    expect(Buffer.from(hash).toString('hex')).toBe(digest);
  });
});

describe('case 4: randomness', () => {
  afterEach(restore);

  test.each([
    ['no crypto', undefined],
    ['nothing in it', {}],
  ])('%s: none, and no weaker source', async (_, value) => {
    replace(value);
    const weaker = jest.spyOn(Math, 'random');
    expect(() => pageCrypto.randomBytes(32)).toThrow(
      expect.objectContaining({ code: 'configuration_error' }),
    );
    expect(weaker).not.toHaveBeenCalled();
    weaker.mockRestore();
    // A hash needs none.
    await expect(pageCrypto.sha256(new Uint8Array())).resolves.toHaveLength(32);
  });
});

test('a crypto.subtle that is there and fails when used', async () => {
  replace({ ...insecurePage, subtle: { digest: () => Promise.reject(new Error('not here')) } });
  const hash = await pageCrypto.sha256(new TextEncoder().encode('abc'));
  expect(Buffer.from(hash).toString('hex')).toMatch(/^ba7816bf/);
  restore();
});
