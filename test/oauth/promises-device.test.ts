// A sign-in on another device, where the server's words end up before a user. Each row was once a line that could
// be changed without a test noticing (npm run mutate).
import { MortiseError } from '../../src/errors.js';
import { deviceUserAgent } from '../../src/oauth/device-user-agent.js';
import type { DeviceTools, DeviceVisit } from '../../src/ports/index.js';
import { ours } from './some-provider.js';

const good = {
  device_code: 'device-code-of-this-test',
  user_code: 'WDJB-MJHT',
  verification_uri: 'https://as.example/device',
  expires_in: 600,
};

const open = async (answer: object, more: Partial<DeviceTools> = {}): Promise<DeviceVisit> => {
  const device = { begin: async () => ({ ...answer }), wait: async () => {}, ...more };
  return (await deviceUserAgent().open({ device } as never)) as DeviceVisit;
};

describe('the address the user is sent to', () => {
  // prettier-ignore
  test.each<[name: string, uri: string]>([
    ['one with a fragment',              'https://as.example/#/device'],
    ['one whose fragment holds another', 'https://as.example/#/device#now'],
    ['one that is only host and more',   'https://as.example#device'],
    ['the longest there is',             `https://as.example/${'x'.repeat(1_981)}`],
  ])('case 158: %s is shown', async (_, uri) => {
    const { code } = await open({ ...good, verification_uri: uri });
    expect(code.verificationUri).toBe(new URL(uri).href);
  });

  // prettier-ignore
  test.each<[name: string, change: object, problem: string]>([
    ['no device code',         { device_code: '' },                                           'it holds no usable device code'],
    ['no user code',           { user_code: undefined },                                      'its user code cannot be shown'],
    ['a code on two lines',    { user_code: 'WDJB\nMJHT' },                                   'its user code cannot be shown'],
    ['an address over http',   { verification_uri: 'http://as.example' },                     'its verification address is not https'],
    ['an address too long',    { verification_uri: `https://as.example/${'x'.repeat(1_982)}` }, 'its verification address is not https'],
    ['no lifetime',            { expires_in: undefined },                                     'its codes have no lifetime'],
    ['an empty lifetime',      { expires_in: '' },                                            'its codes have no lifetime'],
  ])('case 158: with %s, nothing is shown', async (_, change, problem) => {
    const refused = ours('malformed_response', { details: { problem } });
    await expect(open({ ...good, ...change })).rejects.toThrow(refused);
  });
});

describe('asking for the answer', () => {
  const asked = async (...failures: readonly Error[]) => {
    const left = [...failures];
    const visit = await open(good, {
      redeem: async () => {
        throw left.shift() ?? new Error('asked once too often');
      },
    });
    return visit.answer();
  };

  test('ends with whatever is no failure of the server, as it is', async () => {
    const failure = new Error('a bug of somebody else');
    await expect(asked(failure)).rejects.toBe(failure);
  });

  const unreadable = new MortiseError('malformed_response', { problem: 'a page' });
  const denied = new MortiseError('access_denied', {});
  const spent = new MortiseError('invalid_grant', {});

  // prettier-ignore
  test.each<[name: string, last: Error, told: Error]>([
    ['a denial is told as one',                                       denied, denied],
    ['a code that is spent is told as what could not be read before', spent,  unreadable],
  ])('after an answer that could not be read, %s', async (_, last, told) => {
    await expect(asked(unreadable, last)).rejects.toBe(told);
  });
});
