import { buildAuthorizationUrl } from '../oauth/authorization-request.js';
import { createPkce, randomText } from '../oauth/pkce.js';
import { readAuthorizationCode } from '../oauth/authorization-response.js';
import type { Provider, ServerMetadata } from '../oauth/provider.js';
import type { Attempt, Context } from './context.js';
import { readPasted } from './pasted.js';

type Answer = Parameters<Attempt['receive']>[0];

/** One authorization request, and what its answer is compared with. */
export interface Authorization {
  readonly authorizationUrl: string;
  readonly redirectUri: string;
  readonly state: string;
  readonly codeVerifier: string;
  readonly server: ServerMetadata;
}

/** Makes the address to send the user to, with a `state` and a PKCE pair for this one time. */
export async function authorize(
  { host, provider, endpoint }: Context,
  redirectUri: string,
): Promise<Authorization> {
  const server = await endpoint.metadata();
  const { codeVerifier, codeChallenge } = await createPkce(host.crypto);
  const state = randomText(host.crypto);
  const nonce = randomText(host.crypto);
  const request = { redirectUri, state, codeChallenge, nonce };
  const authorizationUrl = buildAuthorizationUrl(provider, server, request);
  return { authorizationUrl, redirectUri, state, codeVerifier, server };
}

/** What the state says of a server that may not compare the verifier. */
export const weaknessOf = ({ pkce }: ServerMetadata): { weakness?: 'pkce_not_checked' } =>
  pkce === 'not checked' ? { weakness: 'pkce_not_checked' } : {};

/** The code in a redirect, or in what the user pasted; `null` when it is no answer to this request. */
export function readCode(
  answer: Answer,
  { server, ...expected }: Authorization,
  provider: Provider,
): string | null {
  const read = 'pasted' in answer ? readPasted(answer.pasted, expected.redirectUri) : answer;
  return 'code' in read
    ? read.code
    : readAuthorizationCode(read.redirectUrl, expected, server, provider);
}

/** Whether the user pasted a code on its own: nothing then says that it answers this request. */
export const isCodeAlone = (answer: Answer, { redirectUri }: Authorization): boolean =>
  'pasted' in answer && 'code' in readPasted(answer.pasted, redirectUri);
