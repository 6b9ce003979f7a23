import { createHash } from 'node:crypto';
import { answerConsent, type ConsentAnswer } from 'mortise/sandbox';
import type { HttpTransport } from '../../src/ports/index.js';

/** What came back, read to its end. */
export interface Seen {
  readonly status: number;
  readonly header: (name: string) => string | null | undefined;
  readonly text: string;
  readonly json: any;
}

export interface Addresses {
  readonly authorize: string;
  readonly token: string;
  readonly redirectUri: string;
  readonly parameters: Readonly<Record<string, string | readonly string[]>>;
}

export const VERIFIER = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk';
const CHALLENGE = createHash('sha256').update(VERIFIER).digest('base64url');

export const PREVU3D: Addresses = {
  authorize: 'https://cloud.prevu3d.com/oauth',
  token: 'https://cloud-api.prevu3d.com/oauth/token',
  redirectUri: 'http://localhost:8765',
  parameters: { scopes: ['read:basic', 'read:hierarchy'] },
};
export const API_INFO = 'https://cloud-api.prevu3d.com/oauth/api-info';
export const ORGANIZATION = '217ebd23-ec54-4af0-a6d6-4a441a6d1966';
export const nodeUrl = (id: string, host = 'api-ue1.prevu3d.com') =>
  `https://${host}/realityconnect-api/v1/nodes/${id}/browse`;
export const BROWSE = nodeUrl(ORGANIZATION);

export const OAUTH: Addresses = {
  authorize: 'https://login.example/authorize',
  token: 'https://login.example/token',
  redirectUri: 'http://127.0.0.1:49152/callback',
  parameters: { scope: 'data:read data:write' },
};

export type Changes = Readonly<Record<string, string | readonly string[] | null>>;

function query(values: Changes): string {
  const pairs = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    for (const each of [value ?? []].flat()) pairs.append(name, each);
  }
  return pairs.toString();
}

/** A client that is exactly as careful as its test. */
export function createClient(sandbox: HttpTransport, at: Addresses) {
  async function send(
    method: string,
    url: string,
    headers: Readonly<Record<string, string>> = {},
    body?: string,
    signal = new AbortController().signal,
  ): Promise<Seen> {
    const request = { method, url, headers, signal, ...(body !== undefined && { body }) };
    const response = await sandbox(request);
    const decoder = new TextDecoder();
    let text = '';
    for await (const chunk of response.body) text += decoder.decode(chunk, { stream: true });
    return {
      status: response.status,
      header: (name) => response.headers.get(name),
      text,
      get json() {
        return JSON.parse(text);
      },
    };
  }

  const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
  const post = (url: string, fields: Changes, headers: Readonly<Record<string, string>> = {}) =>
    send('POST', url, { ...FORM, ...headers }, query(fields));

  const authorizationUrl = (changes: Changes = {}) =>
    `${at.authorize}?${query({
      response_type: 'code',
      client_id: 'plug-in',
      redirect_uri: at.redirectUri,
      code_challenge: CHALLENGE,
      code_challenge_method: 'S256',
      state: 'state-1',
      ...at.parameters,
      ...changes,
    })}`;

  const consent = (answer: Partial<ConsentAnswer> = {}, changes: Changes = {}) =>
    answerConsent(sandbox, authorizationUrl(changes), { decision: 'allow', ...answer });

  const exchange = (code: string, changes: Changes = {}, headers = {}) =>
    post(
      at.token,
      {
        grant_type: 'authorization_code',
        client_id: 'plug-in',
        code,
        redirect_uri: at.redirectUri,
        code_verifier: VERIFIER,
        ...changes,
      },
      headers,
    );

  const refresh = (refreshToken: string, changes: Changes = {}, headers = {}) =>
    post(
      at.token,
      {
        grant_type: 'refresh_token',
        client_id: 'plug-in',
        refresh_token: refreshToken,
        ...changes,
      },
      headers,
    );

  const codeOf = (redirect: string) => new URL(redirect).searchParams.get('code') ?? '';

  return {
    send,
    post,
    authorizationUrl,
    consent,
    exchange,
    refresh,
    /** The code of a fresh consent. */
    code: async (answer: Partial<ConsentAnswer> = {}) => codeOf(await consent(answer)),
    /** The token answer of a fresh sign-in. */
    signIn: async (answer: Partial<ConsentAnswer> = {}) =>
      (await exchange(codeOf(await consent(answer)))).json,
    get: (url: string, token?: string) =>
      send('GET', url, token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };
}
