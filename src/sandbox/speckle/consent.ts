import { mistake, type ConsentRequest, type ConsentRules } from '../consent.js';
import type { Answer, Call } from '../message.js';
import type { Registration } from '../platform.js';

const NAME = 'Speckle';

/** As the guide prints it. A real application has exactly one, too. */
const REDIRECT_URI = 'http://localhost:3000/callback';

/** An application asks for nothing: it has the scopes of its registration, here the guide's four. */
export const APP_SCOPES = ['profile:read', 'profile:email', 'streams:read', 'streams:write'];

/** The page has no such choice. Whoever signs in opens all that is theirs. */
const EVERYTHING = { id: 'everything', name: 'All your projects' };

const YEAR_S = 365.25 * 86_400;

/**
 * What a code is bound to: the challenge, and whether the page was told that it is a hash. One that was
 * not is good for the old exchange only.
 */
export const bound = (challenge: string, method: 'S256' | 'plain'): string =>
  `${method} ${challenge}`;

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

function readPage({ url, params }: Call, redirectUri: string): ConsentRequest | Answer {
  const [appId = '', challenge = '', misplaced] = params;
  const [clientId, text] = [decoded(appId), decoded(challenge)];
  if (clientId === null || text === null) {
    return mistake(NAME, 'The address cannot be read', ['A percent sign in it stands for nothing']);
  }
  if (text.length > 255) {
    const page = mistake(NAME, 'Something went wrong', ['The challenge has over 255 characters']);
    return { ...page, status: 500 };
  }
  const asked = misplaced !== undefined || url.searchParams.get('code_challenge_method') === 'S256';
  const codeChallenge = bound(text, asked ? 'S256' : 'plain');
  return { clientId, redirectUri, codeChallenge, scopes: APP_SCOPES };
}

/** The code is appended as text, whatever the address ends with; a denial is set as a parameter. */
function sendBack(redirectUri: string, code: string | undefined): string {
  if (code !== undefined) return `${redirectUri}?access_code=${code}`;
  const denial = new URL(redirectUri);
  denial.searchParams.set('denied', 'true');
  return denial.href;
}

/** `/authn/verify/{appId}/{challenge}`. Neither `redirect_uri` nor `scope` nor `state` is read. */
export function speckleConsent({ redirectUris }: Registration): ConsentRules {
  const redirectUri = redirectUris?.[0] ?? REDIRECT_URI;
  return {
    platform: NAME,
    // The guide's own sample puts the method behind the challenge with an ampersand.
    path: /^\/authn\/verify\/([^/]+)\/([^/]+?)(&code_challenge_method=S256)?$/,
    organizations: [EVERYTHING],
    lifetimeS: 100 * YEAR_S,
    read: (call) => readPage(call, redirectUri),
    redirect: (_, answer) => sendBack(redirectUri, answer['code']),
  };
}
