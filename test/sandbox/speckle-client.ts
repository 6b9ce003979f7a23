import { createHash } from 'node:crypto';
import {
  answerConsent,
  createSandbox,
  type ConsentAnswer,
  type SandboxOptions,
} from 'mortise/sandbox';
import { createClient, VERIFIER } from './sandbox-client.js';

export const SERVER = 'https://app.speckle.systems';
export const APP = 'a1b2c3d4e5';
export const CHALLENGE = createHash('sha256').update(VERIFIER).digest('base64url');
export const S256 = '?code_challenge_method=S256';

export const LEGACY = `${SERVER}/auth/token`;
export const NEW = `${SERVER}/oauth/token`;
export const LOGOUT = `${SERVER}/auth/logout`;
export const GRAPHQL = `${SERVER}/graphql`;

export const PROJECTS = `query Projects($limit: Int, $cursor: String) {
  activeUser { projects(limit: $limit, cursor: $cursor) { totalCount cursor items { id name } } }
}`;

export type Fields = Readonly<Record<string, unknown>>;

export const verifyUrl = (challenge = CHALLENGE, query = S256, appId = APP) =>
  `${SERVER}/authn/verify/${appId}/${challenge}${query}`;

export const codeOf = (redirect: string) => redirect.split('access_code=')[1] ?? '';

/** A client of the S256 exchange, unless its test takes the old one. */
export function start(options: Omit<SandboxOptions, 'provider'> = {}) {
  const sandbox = createSandbox({ provider: 'speckle', ...options });
  const { send, get } = createClient(sandbox, {
    authorize: '',
    token: '',
    redirectUri: '',
    parameters: {},
  });
  const headersOf = (token?: string) => ({
    'content-type': 'application/json',
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
  });
  const post = (url: string, fields: unknown, token?: string) =>
    send('POST', url, headersOf(token), JSON.stringify(fields));

  const consent = (url = verifyUrl(), answer: Partial<ConsentAnswer> = {}) =>
    answerConsent(sandbox, url, { decision: 'allow', ...answer });
  const code = async (url?: string) => codeOf(await consent(url));

  const exchange = (accessCode: string, changes: Fields = {}) =>
    post(NEW, { appId: APP, accessCode, codeVerifier: VERIFIER, ...changes });
  const exchangeOld = (accessCode: string, changes: Fields = {}) =>
    post(LEGACY, {
      appId: APP,
      appSecret: 'any',
      accessCode,
      challenge: CHALLENGE,
      ...changes,
    });
  const refresh = (refreshToken: string, changes: Fields = {}) =>
    post(LEGACY, { appId: APP, appSecret: 'any', refreshToken, ...changes });

  const signIn = async (answer: Partial<ConsentAnswer> = {}) =>
    (await exchange(codeOf(await consent(verifyUrl(), answer)))).json;
  const graphql = (token: string | undefined, query: string, variables?: Fields) =>
    post(GRAPHQL, { query, variables }, token);

  return {
    send,
    get,
    post,
    consent,
    code,
    exchange,
    exchangeOld,
    refresh,
    signIn,
    graphql,
    /** The answer to a query of whoever has just signed in. */
    ask: async (query: string, variables?: Fields) =>
      graphql((await signIn()).token, query, variables),
  };
}
