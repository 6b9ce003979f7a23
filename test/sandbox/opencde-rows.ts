import type { FaultName } from 'mortise/sandbox';
import { PROJECT, read, SERVER, start, TOPICS } from './opencde-client.js';

type OpencdeFault = Extract<FaultName, `opencde-${string}`>;

const HTML = 'text/html; charset=utf-8';
const USER = `${SERVER}/foundation/1.1/current-user`;
const topics = (query = '') => `${TOPICS}${query}`;

const versions = async (...faults: OpencdeFault[]) =>
  (await start(...faults).get(`${SERVER}/foundation/versions`)).json.versions;

const auth = async (...faults: OpencdeFault[]) =>
  (await start(...faults).get(`${SERVER}/foundation/1.1/auth`)).json;

const baseUrls = async (fault: OpencdeFault): Promise<string[]> =>
  (await versions(fault)).map((each: { api_base_url: string }) => each.api_base_url);

const IN_PLACE = ['foundation/1.1', 'foundation/1.0', 'bcf/3.0', 'bcf/2.1'];

const bcf = async (fault: OpencdeFault, url = TOPICS) => (await read(start(fault), url)).json;

/** What each fault looks like to a client. */
export const OPENCDE_ROWS: Readonly<Record<OpencdeFault, () => Promise<void>>> = {
  async 'opencde-bcf-only'() {
    const client = start('opencde-bcf-only');
    for (const path of ['versions', '1.1/auth', '1.0/auth', '1.1/current-user']) {
      const answer = await read(client, `${SERVER}/foundation/${path}`);
      expect([answer.status, answer.header('content-type')]).toEqual([404, HTML]);
    }
    for (const path of ['bcf/versions', 'bcf/2.1/auth', 'bcf/2.1/current-user']) {
      expect((await read(client, `${SERVER}/${path}`)).status).toBe(200);
    }
  },
  async 'opencde-bcf-lists-3'() {
    const client = start('opencde-bcf-lists-3');
    const { json } = await client.get(`${SERVER}/bcf/versions`);
    expect(json.versions.map((each: any) => each.version_id)).toEqual(['3.0', '2.1']);
    expect((await client.get(`${SERVER}/bcf/3.0/auth`)).status).toBe(200);
  },
  async 'opencde-foundation-1.0'() {
    const client = start('opencde-foundation-1.0');
    const { json } = await client.get(`${SERVER}/foundation/versions`);
    expect(json.versions.map((each: any) => each.version_id)).toEqual(['1.0', '3.0', '2.1']);
    expect((await client.get(`${SERVER}/foundation/1.1/auth`)).status).toBe(404);
    expect((await client.get(`${SERVER}/foundation/1.0/auth`)).status).toBe(200);
    expect((await read(client, USER)).status).toBe(404);
  },
  async 'opencde-versions-html'() {
    const client = start('opencde-versions-html');
    const answer = await client.get(`${SERVER}/foundation/versions`);
    expect([answer.status, answer.header('content-type')]).toEqual([200, HTML]);
    expect((await client.get(`${SERVER}/bcf/versions`)).json.versions).toHaveLength(1);
  },
  async 'opencde-versions-empty'() {
    expect(await versions('opencde-versions-empty')).toEqual([]);
  },
  async 'opencde-versions-null-entry'() {
    const [first, ...rest] = await versions('opencde-versions-null-entry');
    expect([first, rest.length]).toEqual([null, 4]);
  },
  async 'opencde-versions-newer'() {
    const all = await versions('opencde-versions-newer');
    expect(all.slice(0, 3).map((each: any) => [each.api_id, each.version_id])).toEqual([
      ['foundation', '2.0'],
      ['bcf', '4.0'],
      ['documents', '1.0'],
    ]);
    expect(all).toHaveLength(7);
  },
  async 'opencde-no-bcf'() {
    const all = await versions('opencde-no-bcf');
    expect(all.map((each: any) => each.api_id)).toEqual(['foundation', 'foundation']);
  },
  async 'opencde-base-url'() {
    expect(await baseUrls('opencde-base-url')).toEqual(IN_PLACE.map((end) => `${SERVER}/${end}`));
    const below = await start('opencde-base-url').get(`${SERVER}/opencde/foundation/versions`);
    expect(below.json.versions[0].api_base_url).toBe(`${SERVER}/opencde/foundation/1.1`);
  },
  async 'opencde-base-url-slash'() {
    const urls = await baseUrls('opencde-base-url-slash');
    expect(urls).toEqual(IN_PLACE.map((end) => `${SERVER}/${end}/`));
  },
  async 'opencde-base-url-null'() {
    for (const each of await versions('opencde-base-url-null')) {
      expect([each.api_base_url, each.detailed_version]).toEqual([null, null]);
    }
  },
  async 'opencde-base-url-path'() {
    const client = start('opencde-base-url-path');
    const [foundation = '', , bcf30 = ''] = await baseUrls('opencde-base-url-path');
    expect([foundation, bcf30]).toEqual([
      `${SERVER}/relocated/foundation/1.1`,
      `${SERVER}/relocated/bcf/3.0`,
    ]);
    expect((await client.get(`${foundation}/auth`)).status).toBe(200);
    expect((await read(client, `${foundation}/current-user`)).status).toBe(200);
    expect((await read(client, `${bcf30}/projects`)).json).toHaveLength(3);
  },
  async 'opencde-base-url-foreign'() {
    for (const url of await baseUrls('opencde-base-url-foreign')) {
      expect(url).toMatch(/^https:\/\/collector\.example\/(foundation|bcf)\/\d\.\d$/);
    }
  },
  async 'opencde-base-url-http'() {
    for (const url of await baseUrls('opencde-base-url-http')) {
      expect(url).toMatch(/^http:\/\/cde\.example\//);
    }
  },
  async 'opencde-basic-string'() {
    expect((await auth('opencde-basic-string')).http_basic_supported).toBe('false');
  },
  async 'opencde-auth-basic-only'() {
    expect(await auth('opencde-auth-basic-only')).toEqual({
      oauth2_auth_url: null,
      oauth2_token_url: null,
      http_basic_supported: true,
      supported_oauth2_flows: [],
    });
  },
  async 'opencde-auth-one-url'() {
    const json = await auth('opencde-auth-one-url');
    expect(['oauth2_auth_url' in json, 'oauth2_token_url' in json]).toEqual([true, false]);
  },
  async 'opencde-auth-implicit'() {
    expect((await auth('opencde-auth-implicit')).supported_oauth2_flows).toEqual([
      'implicit_grant',
    ]);
  },
  async 'opencde-auth-flows-null'() {
    expect((await auth('opencde-auth-flows-null')).supported_oauth2_flows).toBeNull();
  },
  async 'opencde-auth-query'() {
    const url = (await auth('opencde-auth-query')).oauth2_auth_url;
    expect(url).toBe(`${SERVER}/oauth2/authorize?tenant=harbour`);
    const client = start('opencde-auth-query');
    const page = await client.get(`${url}&${client.authorizationUrl().split('?')[1]}`);
    expect(page.status).toBe(200);
  },
  async 'opencde-auth-foreign'() {
    const json = await auth('opencde-auth-foreign');
    expect([json.oauth2_auth_url, json.oauth2_token_url]).toEqual([
      'https://collector.example/oauth2/authorize',
      'https://collector.example/oauth2/token',
    ]);
  },
  async 'opencde-auth-http'() {
    const json = await auth('opencde-auth-http');
    expect(json.oauth2_auth_url).toMatch(/^http:\/\/cde\.example\//);
    expect(json.oauth2_token_url).toMatch(/^http:\/\/cde\.example\//);
  },
  async 'opencde-pkce-required'() {
    const json = await auth('opencde-pkce-required');
    expect([json.pkce_required, json.code_challenge_method]).toEqual([true, 'S256']);
  },
  async 'opencde-pkce-plain'() {
    const json = await auth('opencde-pkce-plain');
    expect([json.pkce_required, json.code_challenge_method]).toEqual([true, 'plain']);
  },

  async 'opencde-redirect-url'() {
    const client = start('opencde-redirect-url');
    const byTheRfc = await client.get(client.authorizationUrl());
    expect([byTheRfc.status, byTheRfc.text.includes('redirect_url')]).toEqual([400, true]);
    const changes = { redirect_uri: null, redirect_url: 'http://localhost:8080' };
    expect(await client.consent({}, changes)).toMatch(/^http:\/\/localhost:8080\?code=/);
  },
  async 'opencde-token-200'() {
    const client = start('opencde-token-200');
    const answer = await client.exchange(await client.code());
    expect([answer.status, answer.json.token_type]).toEqual([200, 'bearer']);
  },
  async 'opencde-token-lifetime-number'() {
    expect((await start('opencde-token-lifetime-number').signIn()).expires_in).toBe(3_600);
  },
  async 'opencde-token-basic-required'() {
    const client = start('opencde-token-basic-required');
    const answer = await client.exchange(await client.code());
    expect([answer.status, answer.json.error]).toEqual([401, 'invalid_client']);
    const headers = { authorization: `Basic ${btoa('plug-in:s')}` };
    expect((await client.exchange(await client.code(), {}, headers)).status).toBe(201);
  },

  async 'opencde-user-without-name'() {
    expect(await bcf('opencde-user-without-name', USER)).toEqual({ id: 'Architect@example.com' });
  },
  async 'opencde-user-without-id'() {
    expect(await bcf('opencde-user-without-id', USER)).toEqual({ name: 'John Doe' });
  },
  async 'opencde-more-members'() {
    const [topic] = await bcf('opencde-more-members');
    expect(topic).toMatchObject({ '@odata.type': '#Sandbox', title: expect.any(String) });
    const client = start(
      'opencde-more-members@metadata',
      'opencde-more-members@token',
      'opencde-more-members@userinfo',
    );
    const tokens = await client.signIn();
    const { json: all } = await client.get(`${SERVER}/foundation/versions`);
    const { json: user } = await client.get(USER, tokens.access_token);
    for (const each of [tokens, all, all.versions[0], user]) {
      expect(each).toHaveProperty('sandbox_extension');
    }
    expect([all.versions.length, user.name]).toEqual([4, 'John Doe']);
  },
  async 'opencde-paging-ignored'() {
    const paged = await bcf('opencde-paging-ignored', topics('?$top=5&$skip=10'));
    expect(paged).toEqual(await bcf('opencde-token-200'));
  },
  async 'opencde-page-capped'() {
    expect(await bcf('opencde-page-capped', topics('?$top=10'))).toHaveLength(5);
    const rest = await bcf('opencde-page-capped', topics('?$top=10&$skip=20'));
    expect(rest).toHaveLength(3);
  },
  async 'opencde-list-endless'() {
    const first = await bcf('opencde-list-endless', topics('?$top=50&$skip=0'));
    expect(first).toHaveLength(50);
    expect(await bcf('opencde-list-endless', topics('?$top=50&$skip=5000'))).toEqual(first);
    expect(first[23]).toEqual(first[0]);
    const many = await bcf('opencde-list-endless', topics('?$top=999999999'));
    expect(many).toHaveLength(1_000);
  },
  async 'opencde-list-null'() {
    expect(await bcf('opencde-list-null')).toBeNull();
    expect(await bcf('opencde-list-null', `${SERVER}/bcf/3.0/projects/${PROJECT}`)).toMatchObject({
      project_id: PROJECT,
    });
  },
  async 'opencde-list-in-value'() {
    const json = await bcf('opencde-list-in-value');
    expect([json['@odata.count'], json.value.length]).toEqual([23, 23]);
  },
  async 'opencde-item-without-id'() {
    const [first, second] = await bcf('opencde-item-without-id');
    expect(['guid' in first, 'guid' in second]).toEqual([false, true]);
    const [project] = await bcf('opencde-item-without-id', `${SERVER}/bcf/3.0/projects`);
    expect(project).not.toHaveProperty('project_id');
  },
  async 'opencde-item-null'() {
    const [first, second] = await bcf('opencde-item-null');
    expect([first, typeof second.guid]).toEqual([null, 'string']);
  },
  async 'opencde-members-null'() {
    const [topic] = await bcf('opencde-members-null');
    expect([topic.assigned_to, topic.labels, typeof topic.guid, typeof topic.title]).toEqual([
      null,
      null,
      'string',
      'string',
    ]);
  },
  async 'opencde-times-without-zone'() {
    const [topic] = await bcf('opencde-times-without-zone');
    expect(topic.creation_date).toBe('2026-01-05T08:30:00.000');
  },
  async 'opencde-times-without-colon'() {
    const [topic] = await bcf('opencde-times-without-colon');
    expect(topic.creation_date).toBe('2026-01-05T08:30:00.000+0000');
  },
  async 'opencde-409'() {
    const answer = await read(start('opencde-409'), TOPICS);
    expect([answer.status, Object.keys(answer.json)]).toEqual([409, ['message']]);
  },
};
