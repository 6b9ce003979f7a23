import { consentRoutes } from '../consent.js';
import type { Answer, Call } from '../message.js';
import { answerBcf, readUser } from './bcf.js';
import { opencdeConsent } from './consent.js';
import { CURRENT_USER } from './projects.js';
import { opencdeToken } from './token.js';
import type { Platform, Route } from '../platform.js';

const specification = (repository: string, version: string) =>
  `https://github.com/buildingSMART/${repository}/tree/release_${version.replace('.', '_')}`;

const versionOf = (api: 'foundation' | 'bcf', version: string) => ({
  api_id: api,
  version_id: version,
  detailed_version: specification(api === 'bcf' ? 'BCF-API' : 'foundation-API', version),
});

const FOUNDATION_VERSIONS = {
  versions: [
    versionOf('foundation', '1.1'),
    versionOf('foundation', '1.0'),
    versionOf('bcf', '3.0'),
    versionOf('bcf', '2.1'),
  ],
};

/** Before there was a Foundation API. 3.0 is not part of it: its documents lead to the Foundation API. */
const BCF_VERSIONS = {
  versions: [{ version_id: '2.1', detailed_version: specification('BCF-API', '2.1') }],
};

/** As Catenda has it: the API may lie under a path, consent page and token endpoint at the root. */
const auth = ({ url: { origin } }: Call): Answer => ({
  status: 200,
  json: {
    oauth2_auth_url: `${origin}/oauth2/authorize`,
    oauth2_token_url: `${origin}/oauth2/token`,
    http_basic_supported: false,
    supported_oauth2_flows: ['authorization_code_grant'],
  },
});

/** Everything but OAuth is served at the root, under `/opencde`, and where a fault relocates it to. */
const below = (path: string) => new RegExp(`^(?:/opencde|/relocated)?${path}$`);

/** The buildingSMART Foundation API 1.0 and 1.1 with the BCF API 2.1 and 3.0, for reading. */
export const opencde: Platform<{ readonly serverUrl: string }> = {
  routes(grants, registration) {
    const open = (path: string, answer: Route['answer']): Route => ({
      method: 'GET',
      path: below(path),
      place: 'metadata',
      answer,
    });
    const user = (path: string): Route => ({
      method: 'GET',
      path: below(path),
      place: 'userinfo',
      answer(call) {
        const claims = readUser(call, grants);
        return 'status' in claims ? claims : { status: 200, json: CURRENT_USER };
      },
    });
    return [
      open('/foundation/versions', () => ({ status: 200, json: FOUNDATION_VERSIONS })),
      open('/bcf/versions', () => ({ status: 200, json: BCF_VERSIONS })),
      open(String.raw`/foundation/1\.[01]/auth`, auth),
      // /bcf/3.0/auth is in no document; servers that name 3.0 at /bcf/versions have it.
      open(String.raw`/bcf/(?:2\.1|3\.0)/auth`, auth),
      // A server that has no Foundation API has no user there either.
      { ...user(String.raw`/foundation/1\.[01]/current-user`), places: () => ['metadata'] },
      user(String.raw`/bcf/2\.1/current-user`),
      ...consentRoutes(opencdeConsent(registration), grants),
      {
        method: 'POST',
        path: /^\/oauth2\/token$/,
        place: 'token',
        answer: (call) => opencdeToken(call, grants),
      },
      {
        method: 'GET',
        path: below(String.raw`/bcf/(2\.1|3\.0)/projects((?:/[^/]+)*)`),
        place: 'api',
        answer: (call) => answerBcf(call, grants),
      },
    ];
  },
  environment: (origin) => ({ serverUrl: origin }),
};
