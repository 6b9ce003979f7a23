import type { FaultName } from 'mortise/sandbox';
import {
  type Client,
  faulty,
  HOST,
  HUBS,
  METADATA,
  openModels,
  refusalOf,
  REVOKE,
  USERINFO,
} from './aps-client.js';

type ApsFault = Extract<FaultName, `aps-${string}`>;

const hubs = async (client: Client) => client.get(HUBS, (await client.signIn()).access_token);
const tokens = async (client: Client) => client.exchange(await client.code());

/** The next link of a first page of ten, and of the last. */
async function nextLinks(fault: ApsFault) {
  const { url, list } = await openModels(faulty(fault));
  const next = async (query: string) => (await list(`${url}?${query}`)).links.next?.href;
  const [path, ten] = [new URL(url).pathname, 'page%5Blimit%5D=10'];
  return { path, first: await next(ten), last: await next(`${ten}&page%5Bnumber%5D=2`) };
}

const WARNING = {
  HttpStatusCode: '403',
  ErrorCode: 'BIM360DM_ERROR',
  Title: expect.stringContaining('Unable to get hubs'),
  Detail: expect.stringContaining('permission'),
};

/** What each fault looks like to a client. */
export const APS_ROWS: Readonly<Record<ApsFault, () => Promise<void>>> = {
  async 'aps-metadata-revoke-endpoint'() {
    const { json } = await faulty('aps-metadata-revoke-endpoint').get(METADATA);
    expect(json.revoke_endpoint).toBe(REVOKE);
    expect(json).not.toHaveProperty('revocation_endpoint');
  },
  async 'aps-token-auth-003'() {
    expect(refusalOf(await tokens(faulty('aps-token-auth-003')))).toEqual([401, 'AUTH-003']);
  },
  async 'aps-token-err-001'() {
    const answer = await tokens(faulty('aps-token-err-001'));
    expect(refusalOf(answer)).toEqual([429, 'ERR-001']);
    expect(answer.header('retry-after')).toBe('1');
  },
  async 'aps-token-err-003'() {
    expect(refusalOf(await tokens(faulty('aps-token-err-003')))).toEqual([500, 'ERR-003']);
  },
  async 'aps-token-502'() {
    const answer = await tokens(faulty('aps-token-502'));
    expect([answer.status, answer.text]).toEqual([502, '']);
  },
  async 'aps-token-408'() {
    const answer = await tokens(faulty('aps-token-408'));
    expect([answer.status, answer.text]).toEqual([408, '']);
  },
  async 'aps-refresh-auth-004'() {
    const client = faulty('aps-refresh-auth-004');
    const answer = await client.refresh((await client.signIn()).refresh_token);
    expect(refusalOf(answer)).toEqual([400, 'AUTH-004']);
  },
  async 'aps-refresh-grace'() {
    const client = faulty('aps-refresh-grace');
    const { refresh_token } = await client.signIn();
    const answers = [await client.refresh(refresh_token), await client.refresh(refresh_token)];
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect(new Set(answers.map(({ json }) => json.refresh_token)).size).toBe(2);
  },
  async 'aps-revoke-503'() {
    const fields = { token: 'x', token_type_hint: 'access_token', client_id: 'plug-in' };
    expect((await faulty('aps-revoke-503').post(REVOKE, fields)).status).toBe(503);
  },
  async 'aps-revoke-hang'() {
    const giveUp = new AbortController();
    const sent = faulty('aps-revoke-hang').send('POST', REVOKE, {}, '', giveUp.signal);
    const settled = jest.fn();
    void sent.catch(() => {}).finally(settled);
    await new Promise((done) => setTimeout(done, 20));
    expect(settled).not.toHaveBeenCalled();
    giveUp.abort();
    await expect(sent).rejects.toThrow('aborted');
  },
  async 'aps-userinfo-401'() {
    const client = faulty('aps-userinfo-401');
    const answer = await client.get(USERINFO, (await client.signIn()).access_token);
    expect(refusalOf(answer)).toEqual([401, 'AUTH-006']);
  },
  async 'aps-hubs-403-warnings'() {
    const answer = await hubs(faulty('aps-hubs-403-warnings'));
    expect(answer.status).toBe(403);
    expect(Object.keys(answer.json)).toEqual(['jsonapi', 'links', 'data', 'meta']);
    expect(answer.json.data).toEqual([]);
    expect(answer.json.meta.warnings[0]).toMatchObject(WARNING);
  },
  async 'aps-hubs-none-warnings'() {
    const answer = await hubs(faulty('aps-hubs-none-warnings'));
    expect([answer.status, answer.json.data]).toEqual([200, []]);
    expect(answer.json.meta.warnings[0]).toMatchObject(WARNING);
  },
  async 'aps-hubs-some-warnings'() {
    const client = faulty('aps-hubs-some-warnings');
    const { status, json } = await hubs(client);
    expect([status, json.data.length]).toEqual([200, 1]);
    expect(json.meta.warnings[0]).toMatchObject(WARNING);
    const { url, token } = await openModels(client);
    expect((await client.get(url, token)).json).not.toHaveProperty('meta');
  },
  async 'aps-hubs-none'() {
    const { status, json } = await hubs(faulty('aps-hubs-none'));
    expect([status, json.data, 'meta' in json]).toEqual([200, [], false]);
  },
  async 'aps-api-429-once'() {
    const client = faulty('aps-api-429-once');
    const answer = await hubs(client);
    expect([answer.status, answer.header('retry-after')]).toEqual([429, '1']);
    expect(answer.json.developerMessage).toContain('Quota limit exceeded');
    expect((await hubs(client)).status).toBe(200);
  },
  async 'aps-api-401-once'() {
    const client = faulty('aps-api-401-once');
    const answer = await hubs(client);
    expect([answer.status, answer.text]).toEqual([401, '']);
    expect(answer.header('x-ads-troubleshooting')).toContain('Token Expired');
    expect((await hubs(client)).status).toBe(200);
  },
  async 'aps-api-403-text'() {
    const answer = await hubs(faulty('aps-api-403-text'));
    expect([answer.status, answer.header('content-type')]).toEqual([403, 'text/plain']);
    expect(answer.text).toContain('privilege');
  },
  async 'aps-api-auth-001'() {
    expect(refusalOf(await hubs(faulty('aps-api-auth-001')))).toEqual([403, 'AUTH-001']);
  },
  async 'aps-api-auth-010'() {
    expect(refusalOf(await hubs(faulty('aps-api-auth-010')))).toEqual([403, 'AUTH-010']);
  },
  async 'aps-page-without-data'() {
    const { status, json } = await hubs(faulty('aps-page-without-data'));
    expect([status, Object.keys(json)]).toEqual([200, ['jsonapi', 'links']]);
  },
  async 'aps-next-itself'() {
    const { path, first, last } = await nextLinks('aps-next-itself');
    expect(first).toBe(`${path}?page%5Blimit%5D=10`);
    expect(last).toBe(`${path}?page%5Blimit%5D=10&page%5Bnumber%5D=2`);
  },
  async 'aps-next-endless'() {
    const { path, first, last } = await nextLinks('aps-next-endless');
    expect(first).toBe(`${path}?page%5Blimit%5D=10&page%5Bnumber%5D=1`);
    expect(last).toBe(`${path}?page%5Blimit%5D=10&page%5Bnumber%5D=3`);
  },
  async 'aps-next-foreign'() {
    const { path, first, last } = await nextLinks('aps-next-foreign');
    expect(first.startsWith(`https://collector.example${path}?`)).toBe(true);
    expect(last).toBe(undefined);
  },
  async 'aps-next-http'() {
    const { path, first, last } = await nextLinks('aps-next-http');
    expect(first.startsWith(`http://developer.api.autodesk.com${path}?`)).toBe(true);
    expect(last).toBe(undefined);
  },
  async 'aps-next-absolute'() {
    const { path, first, last } = await nextLinks('aps-next-absolute');
    expect(first.startsWith(`${HOST}${path}?`)).toBe(true);
    expect(last).toBe(undefined);
  },
};
