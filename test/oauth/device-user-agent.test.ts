// RFC 8628 by itself: what is made of the server's answer, and when it is asked again.
import fc from 'fast-check';
import { MortiseError, type ErrorCode } from '../../src/errors.js';
import { deviceUserAgent, type DeviceUserAgentOptions } from '../../src/oauth/device-user-agent.js';
import { readEndpointAnswer } from '../../src/oauth/token-response.js';
import type {
  DeviceCode,
  DeviceTools,
  DeviceVisit,
  RedirectOutcome,
  VisitRequest,
} from '../../src/ports/index.js';

const failing = (code: ErrorCode) => expect.objectContaining({ name: 'MortiseError', code });

const ANSWER = {
  device_code: 'GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS',
  user_code: 'WDJB-MJHT',
  verification_uri: 'https://login.example/device',
  verification_uri_complete: 'https://login.example/device?user_code=WDJB-MJHT',
  expires_in: 1_800,
  interval: 5,
};

/** What a sign-in lends, as far as it is used. */
const open = (device: Partial<DeviceTools>, options: DeviceUserAgentOptions = {}) =>
  deviceUserAgent(options).open({ device } as unknown as VisitRequest) as Promise<DeviceVisit>;

/** What the server says to one request, as HTTP has it; or what keeps it from saying anything. */
type Says = { status: number; json?: unknown; retryAfter?: string } | ErrorCode;

const refusal = (error: string, status = 400): Says => ({ status, json: { error } });
const PENDING = refusal('authorization_pending');
const SLOW_DOWN = refusal('slow_down');
const PAGE: Says = { status: 200 };

function say(says: Says): unknown {
  if (typeof says === 'string') throw new MortiseError(says, {} as never);
  const answer = { status: says.status, json: says.json, retryAfter: says.retryAfter };
  const body = readEndpointAnswer(
    answer,
    { dialect: {}, step: 'exchange' },
    [],
    0,
    () => undefined,
  );
  if (!body['access_token']) throw new MortiseError('malformed_response', { problem: 'no token' });
  return body;
}

const TOKENS: Says = { status: 200, json: { access_token: 'a' } };

/** A device whose server follows a script, and then gives tokens. Time is what it has waited. */
async function play(script: readonly Says[], answer: object = {}, lifetimeS = Infinity) {
  const says = [...script];
  const waits: number[] = [];
  const visit = await open({
    begin: async () => ({ ...ANSWER, ...answer }),
    async redeem(deviceCode) {
      expect(deviceCode).toBe(ANSWER.device_code);
      say(says.shift() ?? TOKENS);
      return { kind: 'signedIn' };
    },
    async wait(ms) {
      waits.push(ms / 1_000);
      if (waits.reduce((sum, each) => sum + each, 0) > lifetimeS) {
        throw new MortiseError('aborted', {});
      }
    },
  });
  const outcome = await visit.answer().catch((error: unknown) => error as MortiseError);
  return { waits, outcome: outcome as RedirectOutcome | MortiseError };
}

const read = async (answer: object): Promise<DeviceCode> =>
  (await open({ begin: async () => ({ ...ANSWER, ...answer }) })).code;

describe('case 173: how often the server is asked', () => {
  test.each<[string, unknown, number]>([
    ['absent', undefined, 5],
    ['null', null, 5],
    ['0', 0, 5],
    ['negative', -5, 5],
    ['no number', 'soon', 5],
    ['empty', '', 5],
    ['a list', [1], 5],
    ['true', true, 5],
    ['NaN', NaN, 5],
    ['as the server says', 7, 7],
    ['a text', '7', 7],
    ['a fraction', 2.5, 2.5],
    ['one second', 1, 1],
    ['a thousandth of a second', 0.001, 1],
    ['longer than any code lives', 1e9, 1e9],
  ])('an interval that is %s', async (_, interval, seconds) => {
    expect(await play([PENDING, PENDING], { interval })).toEqual({
      waits: [seconds, seconds, seconds],
      outcome: { kind: 'signedIn' },
    });
  });

  test.each<[string, Says[], number[]]>([
    ['adds 5 seconds, for good', [SLOW_DOWN, PENDING, PENDING], [5, 10, 10, 10]],
    ['adds 5 seconds each time', [SLOW_DOWN, SLOW_DOWN, SLOW_DOWN, PENDING], [5, 10, 15, 20, 20]],
    ['with a status of its own', [refusal('slow_down', 429), PENDING], [5, 10, 10]],
    ['with success', [refusal('slow_down', 200), PENDING], [5, 10, 10]],
    ['as status 429 alone', [{ status: 429 }, PENDING], [5, 10, 10]],
    ['with a time to wait', [{ status: 429, retryAfter: '90' }, PENDING], [5, 90, 10]],
    ['with a time that is shorter', [{ status: 429, retryAfter: '1' }, PENDING], [5, 10, 10]],
  ])('slow_down %s', async (_, script, waits) => {
    expect(await play(script)).toEqual({ waits, outcome: { kind: 'signedIn' } });
  });

  test.each([200, 400, 401, 403, 428])('pending may come with status %i', async (status) => {
    const { waits } = await play([refusal('authorization_pending', status)]);
    expect(waits).toEqual([5, 5]);
  });
});

test('case 173, 174: whatever it says, it is never asked faster than it has said, nor for ever less', async () => {
  const OTHERS: Says[] = [PAGE, 'network_error', 'timeout', { status: 502 }];
  const BUSY: Says = { status: 429, retryAfter: '70' };
  const anything = fc.array(fc.constantFrom(PENDING, SLOW_DOWN, BUSY, ...OTHERS), {
    maxLength: 30,
  });
  const property = fc.asyncProperty(
    anything,
    fc.integer({ min: 1, max: 90 }),
    async (script, given) => {
      const { waits } = await play(script, { interval: given });
      let interval = given;
      waits.forEach((wait, index) => {
        const said = script[index - 1];
        if (said === SLOW_DOWN || said === BUSY) interval += 5;
        const least = said === BUSY ? Math.max(interval, 70) : interval;
        expect(wait).toBeGreaterThanOrEqual(least);
        expect(wait).toBeLessThanOrEqual(Math.max(least, 60));
      });
    },
  );
  await fc.assert(property, { seed: 8628, numRuns: 500 });
});

describe('case 174: a server that cannot be reached is asked less and less often', () => {
  test.each<[string, Says]>([
    ['no network', 'network_error'],
    ['no answer in time', 'timeout'],
    ['a server error', { status: 500 }],
    ['a gateway error', { status: 502 }],
    ['a server error in JSON', refusal('server_error', 500)],
    ['one that says pending', refusal('authorization_pending', 503)],
    ['one that says expired_token', refusal('expired_token', 502)],
    ['a server that is busy', refusal('temporarily_unavailable')],
  ])('%s', async (_, says) => {
    const script = Array<Says>(7).fill(says);
    const { waits, outcome } = await play([...script, PENDING, PENDING]);
    expect(waits).toEqual([5, 10, 20, 40, 60, 60, 60, 60, 5, 5]);
    expect(outcome).toEqual({ kind: 'signedIn' });
  });

  test('until the codes are too old', async () => {
    const { waits, outcome } = await play(Array<Says>(99).fill('network_error'), {}, 1_800);
    expect(waits).toHaveLength(33);
    expect(outcome).toEqual(failing('aborted'));
  });

  test('and never more often than it has asked for', async () => {
    const { waits } = await play([SLOW_DOWN, 'timeout', 'timeout', PENDING], { interval: 90 });
    expect(waits).toEqual([90, 95, 95, 95, 95]);
    const busy: Says = { status: 503, retryAfter: '120' };
    expect((await play([busy, PENDING])).waits).toEqual([5, 120, 5]);
  });

  test.each<[string, Says]>([
    ['a page with success', PAGE],
    ['a redirect', { status: 302 }],
    ['a page with 403', { status: 403 }],
    ['a page with 404', { status: 404 }],
    ['a proxy that wants a password', { status: 407 }],
    ['a server that gave up', { status: 408 }],
    ['an answer without an error', { status: 400, json: {} }],
  ])('%s passes, up to five times in a row', async (_, says) => {
    const four = Array<Says>(4).fill(says);
    const { waits, outcome } = await play([...four, PENDING, ...four, PENDING]);
    expect(waits).toEqual([5, 10, 20, 40, 60, 5, 10, 20, 40, 60, 5]);
    expect(outcome).toEqual({ kind: 'signedIn' });
    const five = await play([...four, says]);
    expect(five.waits).toHaveLength(5);
    expect(five.outcome).toMatchObject({ name: 'MortiseError', retryable: false });
  });

  test('tokens that could not be read are not blamed on the code', async () => {
    const { outcome } = await play([{ status: 200, json: {} }, refusal('invalid_grant')]);
    expect(outcome).toEqual(failing('malformed_response'));
    const later = await play([PAGE, PENDING, refusal('invalid_grant')]);
    expect(later.outcome).toEqual(failing('invalid_grant'));
  });
});

describe('case 175: what ends it', () => {
  test.each<[string, Says, ErrorCode]>([
    ['codes that are too old', refusal('expired_token'), 'sign_in_timeout'],
    ['a denial', refusal('access_denied'), 'access_denied'],
    ['a denial with 403', refusal('access_denied', 403), 'access_denied'],
    ['a code nobody knows', refusal('invalid_grant'), 'invalid_grant'],
    ['a client nobody knows', refusal('invalid_client', 401), 'invalid_client'],
    ['an unknown error', refusal('mood'), 'oauth_error'],
    ['a grant that is not served', refusal('unsupported_grant_type'), 'oauth_error'],
    ['a transport that is none', 'configuration_error', 'configuration_error'],
  ])('%s', async (_, says, code) => {
    const { waits, outcome } = await play([PENDING, says]);
    expect(outcome).toEqual(failing(code));
    expect(waits).toEqual([5, 5]);
  });

  test('codes that are too old say how long they have lived', async () => {
    const { outcome } = await play([refusal('expired_token')]);
    expect(outcome).toMatchObject({ details: { timeoutMs: 1_800_000 } });
  });
});

describe('case 176: what is shown', () => {
  test('is what the server has sent, and not the device code', async () => {
    expect(await read({})).toEqual({
      userCode: 'WDJB-MJHT',
      verificationUri: 'https://login.example/device',
      verificationUriComplete: 'https://login.example/device?user_code=WDJB-MJHT',
      expiresInMs: 1_800_000,
    });
  });

  test.each<[string, unknown]>([
    ['missing', undefined],
    ['null', null],
    ['a number', 12_345_678],
    ['empty', ''],
    ['blank', '  '],
    ['one that begins with a blank', ' WDJB'],
    ['one with a line break', 'WDJB\nMJHT'],
    ['one with a carriage return', 'WDJB\rMJHT'],
    ['one with an escape', 'WDJB\u001b[2J'],
    ['one with NUL', 'WDJB\0'],
    ['one with DEL', 'WDJB\u007f'],
    ['one with a C1 control', 'WDJB\u009b2J'],
    ['one that is turned round', '\u202eWDJB'],
    ['one that is isolated', '\u2066WDJB\u2069'],
    ['one with a mark for direction', 'WDJB\u200f'],
    ['one of letters that run the other way', 'אבגד'],
    ['one with a blank of no width', 'WD\u200bJB'],
    ['one with another blank', 'WD\u00a0JB'],
    ['one with letters that look like others', 'WDJВ'],
    ['one with a combining mark', 'WDJB\u0301'],
    ['one with half a character', 'WDJB\ud800'],
    ['one with a line separator', 'WDJB\u2028'],
    ['one that is long', 'WDJB'.repeat(17)],
  ])('no user code that is %s', async (_, user_code) => {
    await expect(read({ user_code })).rejects.toEqual(failing('malformed_response'));
  });

  test.each(['W', '123456789', 'WDJB MJHT', 'wdjb-mjht', '(WDJB).MJHT', 'WDJB'.repeat(16)])(
    'a user code such as %s',
    async (user_code) => expect((await read({ user_code })).userCode).toBe(user_code),
  );

  const ADDRESSES: [string, unknown][] = [
    ['missing', undefined],
    ['null', null],
    ['an object', { href: 'https://login.example/' }],
    ['empty', ''],
    ['relative', '/device'],
    ['plain http', 'http://login.example/device'],
    ['a script', 'javascript:alert(1)'],
    ['data', 'data:text/html,<script>alert(1)</script>'],
    ['a file', 'file:///etc/passwd'],
    ['another program’s', 'ms-settings:display'],
    ['one with a user name', 'https://login.example@evil.example/'],
    ['one with a password', 'https://a:b@login.example/'],
    ['one with an empty user name and a password', 'https://:b@login.example/'],
    ['without a host', 'https://'],
    ['like loopback', 'http://localhost.evil.example/'],
    ['long', `https://login.example/${'a'.repeat(2_000)}`],
  ];
  test.each(ADDRESSES)('no verification address that is %s', async (_, verification_uri) => {
    await expect(read({ verification_uri })).rejects.toEqual(failing('malformed_response'));
  });

  test.each<[string, unknown]>([
    ...ADDRESSES,
    ['on another host', 'https://evil.example/device?user_code=WDJB-MJHT'],
    ['on a host below', 'https://a.login.example/device'],
    ['on another port', 'https://login.example:8443/device'],
    ['by http on loopback', 'http://localhost/device'],
  ])('no link with the code in it that is %s', async (_, verification_uri_complete) => {
    const shown = await read({ verification_uri_complete });
    expect(shown.verificationUriComplete).toBeNull();
    expect(shown.verificationUri).toBe('https://login.example/device');
  });

  test.each([
    ['https://login.example', 'https://login.example/'],
    ['HTTPS://Login.Example/device', 'https://login.example/device'],
    ['https://login.example/device\n', 'https://login.example/device'],
    ['https://login.example/#/device', 'https://login.example/#/device'],
    ['https://login.example/\u202edevice', 'https://login.example/%E2%80%AEdevice'],
    ['https://lоgin.example/', 'https://xn--lgin-55d.example/'],
    ['http://127.0.0.1:8080/device', 'http://127.0.0.1:8080/device'],
  ])('%j as %s', async (verification_uri, shown) => {
    expect((await read({ verification_uri })).verificationUri).toBe(shown);
  });

  test.each<[string, object]>([
    ['no device code', { device_code: undefined }],
    ['an empty device code', { device_code: '' }],
    ['a device code with a line break', { device_code: 'a\nb' }],
    ['a device code that is a number', { device_code: 12 }],
    ['no lifetime', { expires_in: undefined }],
    ['a lifetime of 0', { expires_in: 0 }],
    ['a negative lifetime', { expires_in: -1 }],
    ['a lifetime that is no number', { expires_in: 'long' }],
    ['a lifetime without an end', { expires_in: '1e999' }],
    ['nothing', Object.fromEntries(Object.keys(ANSWER).map((name) => [name, undefined]))],
  ])('nothing of an answer with %s', async (_, answer) => {
    await expect(read(answer)).rejects.toEqual(failing('malformed_response'));
  });

  test('no error quotes what the server has sent', async () => {
    const canary = 'canary\u001b[2J';
    for (const name of Object.keys(ANSWER)) {
      const error = await read({ [name]: canary }).catch((thrown: unknown) => thrown);
      expect(String(error) + JSON.stringify(error)).not.toContain('canary');
    }
  });
});

describe('who is told', () => {
  const device: DeviceTools = {
    begin: async () => ANSWER,
    redeem: async () => ({ kind: 'signedIn' }),
    wait: async () => {},
  };

  test('hears of the code once, when it is to be shown', async () => {
    const show = jest.fn();
    const visit = await open(device, { show });
    expect(show).not.toHaveBeenCalled();
    await visit.answer();
    expect(show.mock.calls).toEqual([[visit.code]]);
    expect(JSON.stringify(show.mock.calls)).not.toContain(ANSWER.device_code);
  });

  test.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('no screen');
      },
    ],
    ['rejects', () => Promise.reject(new Error('no screen'))],
    ['never comes back', () => new Promise(() => {})],
  ])('disturbs nothing when it %s', async (_, show) => {
    const visit = await open(device, { show });
    await expect(visit.answer()).resolves.toEqual({ kind: 'signedIn' });
  });
});
