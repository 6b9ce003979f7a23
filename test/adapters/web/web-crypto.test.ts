import { webCrypto } from '../../../adapters/web/web-crypto.js';
import { describeCryptoProvider } from '../../support/crypto-provider-contract.js';

describeCryptoProvider('webCrypto', () => webCrypto);

describe('case 4: a host without Web Crypto', () => {
  const original = Object.getOwnPropertyDescriptor(globalThis, 'crypto') ?? {};
  const replace = (value: unknown) =>
    Object.defineProperty(globalThis, 'crypto', { value, configurable: true });
  afterEach(() => void Object.defineProperty(globalThis, 'crypto', original));

  test.each([
    ['no crypto', undefined],
    ['nothing in it', {}],
  ])('%s: no random bytes', (_, value) => {
    replace(value);
    const weaker = jest.spyOn(Math, 'random');
    expect(() => webCrypto.randomBytes(32)).toThrow(
      expect.objectContaining({
        code: 'configuration_error',
        message: expect.stringContaining('crypto.getRandomValues'),
      }),
    );
    expect(weaker).not.toHaveBeenCalled();
    weaker.mockRestore();
  });

  test.each([
    ['no crypto', undefined],
    ['an insecure page', { getRandomValues: () => {} }],
  ])('%s: no hash, as a rejection', async (_, value) => {
    replace(value);
    await expect(webCrypto.sha256(new Uint8Array())).rejects.toMatchObject({
      code: 'configuration_error',
      message: expect.stringContaining('crypto.subtle'),
    });
  });

  test('is looked up when called: what a page brings later counts', () => {
    replace({ getRandomValues: (array: Uint8Array) => array.fill(7) });
    expect([...webCrypto.randomBytes(2)]).toEqual([7, 7]);
  });
});
