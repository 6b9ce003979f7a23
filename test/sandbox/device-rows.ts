import type { FaultName } from 'mortise/sandbox';
import { ISSUER, startDevice } from './device-client.js';

type DeviceFault = Extract<FaultName, `device-${string}`>;

const HTML = 'text/html; charset=utf-8';
const begun = async (fault: DeviceFault) => (await startDevice(fault).begin()).json;

/** What the first requests of a device are told, 30 seconds between two, and then those after an answer. */
async function told(fault: DeviceFault, count: number) {
  const device = startDevice(fault);
  const { device_code, user_code } = (await device.begin()).json;
  const ask = async () => {
    device.pass(30_000);
    const { status, text, header } = await device.poll(device_code);
    const isHtml = header('content-type') === HTML;
    return isHtml || !text ? status : (JSON.parse(text).error ?? status);
  };
  const answers = [];
  for (let round = 0; round < count; round += 1) answers.push(await ask().catch(() => 'reset'));
  await device.answer(user_code);
  return [...answers, await ask()];
}

/** What each fault looks like to a client. */
export const DEVICE_ROWS: Readonly<Record<DeviceFault, () => Promise<void>>> = {
  async 'device-not-offered'() {
    const { json } = await startDevice('device-not-offered').get(
      `${ISSUER}/.well-known/openid-configuration`,
    );
    expect(json).not.toHaveProperty('device_authorization_endpoint');
  },
  async 'device-unauthorized-client'() {
    const { status, json } = await startDevice('device-unauthorized-client').begin();
    expect([status, json.error]).toEqual([400, 'unauthorized_client']);
  },
  async 'device-html'() {
    const { status, header } = await startDevice('device-html').begin();
    expect([status, header('content-type')]).toEqual([200, HTML]);
  },
  async 'device-reset'() {
    await expect(startDevice('device-reset').begin()).rejects.toThrow('reset');
  },
  async 'device-interval-absent'() {
    expect(await begun('device-interval-absent')).not.toHaveProperty('interval');
  },
  async 'device-interval-zero'() {
    expect((await begun('device-interval-zero')).interval).toBe(0);
  },
  async 'device-interval-negative'() {
    expect((await begun('device-interval-negative')).interval).toBe(-5);
  },
  async 'device-interval-tiny'() {
    expect((await begun('device-interval-tiny')).interval).toBe(0.001);
  },
  async 'device-interval-text'() {
    expect((await begun('device-interval-text')).interval).toBe('5');
  },
  async 'device-expires-in-absent'() {
    expect(await begun('device-expires-in-absent')).not.toHaveProperty('expires_in');
  },
  async 'device-expires-in-zero'() {
    expect((await begun('device-expires-in-zero')).expires_in).toBe(0);
  },
  async 'device-short-lived'() {
    const device = startDevice('device-short-lived');
    const { device_code, expires_in } = (await device.begin()).json;
    device.pass(11_000);
    const early = (await device.poll(device_code)).json.error;
    device.pass(1_000);
    const late = (await device.poll(device_code)).json.error;
    expect([expires_in, early, late]).toEqual([12, 'authorization_pending', 'expired_token']);
  },
  async 'device-code-missing'() {
    expect(await begun('device-code-missing')).not.toHaveProperty('device_code');
  },
  async 'device-user-code-missing'() {
    expect(await begun('device-user-code-missing')).not.toHaveProperty('user_code');
  },
  async 'device-code-control-characters'() {
    expect((await begun('device-code-control-characters')).user_code).toMatch(/\p{Cc}/u);
  },
  async 'device-code-bidi'() {
    expect((await begun('device-code-bidi')).user_code).toMatch(/\p{Bidi_Control}/u);
  },
  async 'device-code-long'() {
    expect((await begun('device-code-long')).user_code).toHaveLength(100_000);
  },
  async 'device-uri-missing'() {
    expect(await begun('device-uri-missing')).not.toHaveProperty('verification_uri');
  },
  async 'device-uri-http'() {
    expect((await begun('device-uri-http')).verification_uri).toMatch(/^http:\/\/login\.example/);
  },
  async 'device-uri-script'() {
    expect((await begun('device-uri-script')).verification_uri).toMatch(/^javascript:/);
  },
  async 'device-uri-user'() {
    const { hostname, username } = new URL((await begun('device-uri-user')).verification_uri);
    expect([hostname, username]).toEqual(['collector.example', 'login.example']);
  },
  async 'device-uri-long'() {
    expect((await begun('device-uri-long')).verification_uri.length).toBeGreaterThan(100_000);
  },
  async 'device-complete-absent'() {
    const answer = await begun('device-complete-absent');
    expect(answer).not.toHaveProperty('verification_uri_complete');
  },
  async 'device-complete-elsewhere'() {
    const { verification_uri_complete } = await begun('device-complete-elsewhere');
    expect(new URL(verification_uri_complete).origin).toBe('https://collector.example');
  },
  async 'device-slow-down'() {
    expect(await told('device-slow-down', 4)).toEqual([
      ...['slow_down', 'slow_down', 'slow_down'],
      'authorization_pending',
      200,
    ]);
  },
  async 'device-pending-200'() {
    const device = startDevice('device-pending-200');
    const { status, json } = await device.poll((await device.begin()).json.device_code);
    expect([status, json.error]).toEqual([200, 'authorization_pending']);
  },
  async 'device-pending-428'() {
    const device = startDevice('device-pending-428');
    const { status, json } = await device.poll((await device.begin()).json.device_code);
    expect([status, json.error]).toEqual([428, 'authorization_pending']);
  },
  async 'device-poll-502'() {
    const pending = 'authorization_pending';
    expect(await told('device-poll-502', 4)).toEqual([502, 502, 502, pending, 200]);
  },
  async 'device-poll-html'() {
    const pending = 'authorization_pending';
    expect(await told('device-poll-html', 4)).toEqual([200, 200, 200, pending, 200]);
  },
  async 'device-poll-reset'() {
    const pending = 'authorization_pending';
    expect(await told('device-poll-reset', 4)).toEqual(['reset', 'reset', 'reset', pending, 200]);
  },
  async 'device-poll-429'() {
    const device = startDevice('device-poll-429');
    const { device_code } = (await device.begin()).json;
    const { status, header } = await device.poll(device_code);
    expect([status, header('retry-after')]).toEqual([429, '30']);
    expect((await device.poll(device_code)).json.error).toBe('authorization_pending');
  },
  async 'device-expires'() {
    expect(await told('device-expires', 1)).toEqual(['expired_token', 'expired_token']);
  },
  async 'device-denied'() {
    expect(await told('device-denied', 1)).toEqual(['access_denied', 'access_denied']);
  },
  async 'device-forgotten'() {
    expect(await told('device-forgotten', 1)).toEqual(['invalid_grant', 'invalid_grant']);
  },
  async 'device-unknown-error'() {
    expect(await told('device-unknown-error', 1)).toEqual(['sandbox_mood', 'sandbox_mood']);
  },
};
