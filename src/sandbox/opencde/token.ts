import { isVerifierOf, type CodeRequest, type Grants, type Issued } from '../grants.js';
import { readBasic, type Answer, type Call, type Refused } from '../message.js';
import {
  answerTokenRequest,
  invalidClient,
  invalidRequest,
  WRONG_SECRET,
  exchangeRefreshToken,
} from '../token-endpoint.js';

interface Client {
  readonly id: string;
  /** Has shown its secret. */
  readonly isConfidential: boolean;
}

/** A secret comes in a Basic header, as the standard has it; who has none sends its id in the form. */
function readClient(call: Call): Client | Refused {
  const { form, headers } = call;
  const id = form.get('client_id');
  if (form.has('client_secret')) return invalidClient('A secret belongs in a Basic header.');
  if (headers['authorization'] === undefined) {
    return id ? { id, isConfidential: false } : invalidClient('client_id is missing.');
  }
  // The standard's example: as they are, not form-encoded before they are base64.
  const { id: name, secret } = readBasic(call) ?? { id: '', secret: '' };
  if (!name || !secret || secret === WRONG_SECRET) {
    return invalidClient('The Basic header holds no client id and secret that are known.');
  }
  return id === null || id === name
    ? { id: name, isConfidential: true }
    : invalidRequest('client_id is another one than in the header.');
}

function codeProblem(request: CodeRequest, { form }: Call, client: Client): string | undefined {
  const redirectUri = form.get('redirect_uri');
  const verifier = form.get('code_verifier');
  if (client.id !== request.grant.clientId) return 'The code belongs to another client.';
  // The standard's example with a secret sends no redirect_uri, the one without a secret does.
  const mayLeaveOut = redirectUri === null && client.isConfidential;
  if (!mayLeaveOut && redirectUri !== request.redirectUri) {
    return 'The redirect_uri is not the one of the authorization request.';
  }
  if (request.codeChallenge === '') {
    // RFC 9700 section 4.8.2: or a stolen code could be used where PKCE was stripped off.
    return verifier === null ? undefined : 'There was no code_challenge for this code_verifier.';
  }
  return isVerifierOf(verifier ?? '', request.codeChallenge)
    ? undefined
    : 'The code_verifier does not match the code_challenge.';
}

function exchange(call: Call, grants: Grants): Issued | Refused {
  const client = readClient(call);
  if ('error' in client) return client;
  const code = call.form.get('code');
  if (!code) return invalidRequest('code is missing.');
  return grants.takeCode(code, (request) => codeProblem(request, call, client));
}

function refresh(call: Call, grants: Grants): Issued | Refused {
  const client = readClient(call);
  if ('error' in client) return client;
  return exchangeRefreshToken(call, client.id, grants);
}

/** As the standard's example prints it: the lifetime is a text, though its table says integer. */
const writeTokens = ({ accessToken, refreshToken, lifetimeS }: Issued) => ({
  access_token: accessToken,
  token_type: 'bearer',
  expires_in: String(lifetimeS),
  refresh_token: refreshToken,
});

/** No client credentials: the standard excludes them, since no user stands behind them. */
export function opencdeToken(call: Call, grants: Grants): Answer {
  const handlers = { authorization_code: exchange, refresh_token: refresh };
  const answer = answerTokenRequest(call, handlers, grants, writeTokens);
  return answer.status === 200 ? { ...answer, status: 201 } : answer;
}
