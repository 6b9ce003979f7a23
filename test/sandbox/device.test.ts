// RFC 8628 at the sandbox: the codes, the page, and what a device is told while it asks.
import { createSandbox } from 'mortise/sandbox';
import { ISSUER, startDevice } from './device-client.js';
import { createClient, OAUTH, type Changes } from './sandbox-client.js';

const errorOf = ({ status, json }: { status: number; json: any }) => [status, json.error];
const basic = (text: string) => ({ authorization: `Basic ${btoa(text)}` });

describe('the device authorization endpoint', () => {
  test('is in the metadata', async () => {
    const { json } = await startDevice().get(`${ISSUER}/.well-known/openid-configuration`);
    expect(json.device_authorization_endpoint).toBe(`${ISSUER}/device_authorization`);
    expect(json.grant_types_supported).toContain('urn:ietf:params:oauth:grant-type:device_code');
  });

  test('answers by RFC 8628 section 3.2, with a code of the twenty letters of section 6.1', async () => {
    const { status, json, header } = await startDevice().begin();
    expect([status, header('cache-control')]).toEqual([200, 'no-store']);
    expect(json).toEqual({
      device_code: expect.stringMatching(/^sandbox-device-[\w-]{20}$/),
      user_code: expect.stringMatching(/^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/),
      verification_uri: `${ISSUER}/device`,
      verification_uri_complete: `${ISSUER}/device?user_code=${json.user_code}`,
      expires_in: 600,
      interval: 5,
    });
  });

  test('gives every device codes of its own, and the same ones again in the same place', async () => {
    const codes = async () => {
      const device = startDevice();
      const answers = [];
      for (let count = 0; count < 20; count += 1) answers.push((await device.begin()).json);
      return answers.map(({ device_code, user_code }) => [device_code, user_code]);
    };
    const first = await codes();
    expect(new Set(first.flat()).size).toBe(40);
    expect(await codes()).toEqual(first);
  });

  test.each<[string, Changes, Record<string, string>, number, string]>([
    ['no client', { client_id: null }, {}, 401, 'invalid_client'],
    ['the wrong secret', { client_secret: 'wrong' }, {}, 401, 'invalid_client'],
    ['a scope twice', { scope: ['a', 'b'] }, {}, 400, 'invalid_request'],
    ['JSON', {}, { 'content-type': 'application/json' }, 400, 'invalid_request'],
  ])('refuses %s', async (_, changes, headers, status, error) => {
    expect(errorOf(await startDevice().begin(changes, headers))).toEqual([status, error]);
  });

  test('takes a client with a Basic header, and gives it its tokens', async () => {
    const device = startDevice();
    const [client, header] = [{ client_id: null }, basic('plug-in:s')];
    const { device_code, user_code } = (await device.begin(client, header)).json;
    await device.answer(user_code);
    expect((await device.poll(device_code, client, header)).status).toBe(200);
  });
});

describe('a device that asks', () => {
  test('is told that nobody has answered, and gets tokens once somebody has, once', async () => {
    const device = startDevice();
    const { device_code, user_code } = (await device.begin()).json;
    for (let count = 0; count < 3; count += 1) {
      expect(errorOf(await device.poll(device_code))).toEqual([400, 'authorization_pending']);
      device.pass(5_000);
    }
    await device.answer(user_code);
    const { status, json } = await device.poll(device_code);
    expect(status).toBe(200);
    expect(json).toMatchObject({ token_type: 'Bearer', scope: 'data:read data:write' });
    expect((await device.get(`${ISSUER}/api/me`, json.access_token)).status).toBe(200);
    expect((await device.refresh(json.refresh_token)).status).toBe(200);
    device.pass(5_000);
    expect(errorOf(await device.poll(device_code))).toEqual([400, 'invalid_grant']);
  });

  test('too often is told to slow down, by 5 seconds more each time, for good', async () => {
    const device = startDevice();
    const { device_code } = (await device.begin()).json;
    const told = [];
    for (const afterMs of [0, 4_000, 9_000, 15_000, 14_000, 19_000, 20_000]) {
      device.pass(afterMs);
      told.push((await device.poll(device_code)).json.error);
    }
    expect(told).toEqual([
      'authorization_pending',
      'slow_down',
      'slow_down',
      'authorization_pending',
      'slow_down',
      'slow_down',
      'slow_down',
    ]);
  });

  test('is not too fast where time stands still', async () => {
    const client = createClient(createSandbox({ provider: 'oauth' }), OAUTH);
    const { json } = await client.post(`${ISSUER}/device_authorization`, { client_id: 'plug-in' });
    const fields = {
      grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
      client_id: 'plug-in',
      device_code: json.device_code,
    };
    for (let count = 0; count < 3; count += 1) {
      expect((await client.post(OAUTH.token, fields)).json.error).toBe('authorization_pending');
    }
  });

  test('hears of a denial, and of it only', async () => {
    const device = startDevice();
    const { device_code, user_code } = (await device.begin()).json;
    await device.answer(user_code, { decision: 'deny' });
    expect(errorOf(await device.poll(device_code))).toEqual([400, 'access_denied']);
    await expect(device.answer(user_code)).rejects.toMatchObject({ code: 'configuration_error' });
    device.pass(5_000);
    expect(errorOf(await device.poll(device_code))).toEqual([400, 'access_denied']);
  });

  test('hears that its code is too old, though somebody had allowed it', async () => {
    const device = startDevice();
    const { device_code, user_code } = (await device.begin()).json;
    await device.answer(user_code);
    device.pass(600_000);
    expect(errorOf(await device.poll(device_code))).toEqual([400, 'expired_token']);
  });

  test.each<[string, Changes, number, string]>([
    ['no device code', { device_code: null }, 400, 'invalid_request'],
    ['a device code twice', { device_code: ['a', 'b'] }, 400, 'invalid_request'],
    ['one that nobody was given', { device_code: 'other' }, 400, 'invalid_grant'],
    ['that of another client', { client_id: 'other' }, 400, 'invalid_grant'],
    ['no client', { client_id: null }, 401, 'invalid_client'],
  ])('with %s is refused, and the code stays good', async (_, changes, status, error) => {
    const device = startDevice();
    const { device_code, user_code } = (await device.begin()).json;
    await device.answer(user_code);
    expect(errorOf(await device.poll(device_code, changes))).toEqual([status, error]);
    expect((await device.poll(device_code)).status).toBe(200);
  });

  test('gets no more than the user has left ticked', async () => {
    const device = startDevice();
    const { device_code, user_code } = (await device.begin()).json;
    await device.answer(user_code, { scopes: ['data:read'] });
    expect((await device.poll(device_code)).json.scope).toBe('data:read');
  });

  test('each gets its own answer', async () => {
    const device = startDevice();
    const [one, two] = [(await device.begin()).json, (await device.begin()).json];
    await device.answer(two.user_code);
    await device.answer(one.user_code, { decision: 'deny' });
    expect((await device.poll(one.device_code)).json.error).toBe('access_denied');
    expect((await device.poll(two.device_code)).status).toBe(200);
  });
});

describe('the page', () => {
  const page = `${ISSUER}/device`;

  test('asks for the code, says that it is a sandbox, and loads nothing', async () => {
    const { status, text, header } = await startDevice().get(page);
    expect(status).toBe(200);
    expect(text).toContain('SANDBOX');
    expect(text).toMatch(/<label [^>]*for="user_code">/);
    expect(text).toMatch(/<input [^>]*id="user_code" name="user_code"/);
    expect(header('content-security-policy')).toContain("default-src 'none'");
    expect(header('access-control-allow-origin')).toBeUndefined();
  });

  test('shows who asks, and the code to compare, also when the code came with the address', async () => {
    const device = startDevice();
    const { user_code, verification_uri_complete } = (await device.begin()).json;
    const { status, text } = await device.get(verification_uri_complete);
    expect(status).toBe(200);
    expect(text).toContain(user_code);
    expect(text).toContain('plug-in');
    expect(text).toContain('Compare the code');
  });

  test.each<[string, (code: string) => string]>([
    ['in small letters', (code) => code.toLowerCase()],
    ['without the dash', (code) => code.replace('-', '')],
    ['with blanks', (code) => ` ${[...code].join(' ')} `],
  ])('knows a code that was typed %s', async (_, typed) => {
    const device = startDevice();
    const { user_code, device_code } = (await device.begin()).json;
    await device.answer(typed(user_code));
    expect((await device.poll(device_code)).status).toBe(200);
  });

  test.each<[string, (device: ReturnType<typeof startDevice>, code: string) => unknown]>([
    ['unknown', () => 'XXXX-XXXX'],
    ['empty', () => ''],
    ['too old', (device, code) => (device.pass(600_000), code)],
    ['answered', async (device, code) => (await device.answer(code), code)],
  ])('says so when a code is %s, whether it is typed or sent', async (_, prepare) => {
    const device = startDevice();
    const { user_code } = (await device.begin()).json;
    const typed = String(await prepare(device, user_code));
    const url = `${page}?user_code=${encodeURIComponent(typed)}`;
    for (const shown of [await device.get(url), await device.post(url, { decision: 'allow' })]) {
      expect(shown.status).toBe(404);
      expect(shown.text).toContain('role="alert"');
    }
  });

  test('repeats what was typed, and runs none of it', async () => {
    const url = `${page}?user_code=${encodeURIComponent('"><script>alert(1)</script>')}`;
    const { text } = await startDevice().get(url);
    expect(text).not.toContain('<script>');
    expect(text).toContain('value="&quot;&gt;&lt;script&gt;');
  });

  test.each([
    ['no decision', {}],
    ['an organization that is none', { decision: 'allow', organization: 'other' }],
  ])('takes no form with %s', async (_, fields) => {
    const device = startDevice();
    const { device_code, verification_uri_complete } = (await device.begin()).json;
    expect((await device.post(verification_uri_complete, fields)).status).toBe(400);
    expect((await device.poll(device_code)).json.error).toBe('authorization_pending');
  });
});
