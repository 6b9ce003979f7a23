import { bendJson, HTML, omit, type Fault, type Faulty } from './fault.js';
import type { Call } from '../message.js';
import { OPENCDE_BCF_FAULTS } from './opencde-bcf.js';
import { OPENCDE_OAUTH_FAULTS } from './opencde-oauth.js';

type Json = Readonly<Record<string, unknown>>;
type Bend = Required<Fault>['bend'];

const NOT_FOUND = { status: 404, ...HTML };

/** At paths with a certain end only: versions and auth are the same place. */
const bendAt =
  (path: RegExp, bend: Bend): Bend =>
  (answer, call) =>
    path.test(call.url.pathname) ? bend(answer, call) : answer;

const bendAuth = (change: (json: Json, call: Call) => unknown) =>
  bendAt(/\/auth$/, bendJson(change));

const bendVersions = (change: (versions: readonly Json[], call: Call) => unknown) =>
  bendAt(
    /\/foundation\/versions$/,
    bendJson((json, call) => ({ versions: change(json['versions'] as readonly Json[], call) })),
  );

/** Gives every version an `api_base_url`, which ends in api and version as in the standard's example. */
const bendBaseUrls = (baseOf: (call: Call) => string, end = '') =>
  bendVersions((versions, call) =>
    versions.map((each) => ({
      ...each,
      api_base_url: `${baseOf(call)}/${each['api_id']}/${each['version_id']}${end}`,
    })),
  );

const rootOf = ({ url }: Call) =>
  `${url.origin}${url.pathname.replace('/foundation/versions', '')}`;

const oauthUrlsAt = (base: string) =>
  bendAuth((json) => ({
    ...json,
    oauth2_auth_url: `${base}/oauth2/authorize`,
    oauth2_token_url: `${base}/oauth2/token`,
  }));

/** What a server can say about itself before anybody signs in; then OAuth, then the BCF API. */
export const OPENCDE_FAULTS = {
  'opencde-bcf-only': {
    does: 'A server from before the Foundation API: its paths are HTML 404, /bcf/versions is there.',
    at: 'metadata',
    bend: bendAt(/\/foundation\//, () => NOT_FOUND),
  },
  'opencde-bcf-lists-3': {
    does: '/bcf/versions names 3.0 beside 2.1.',
    at: 'metadata',
    bend: bendAt(
      /\/bcf\/versions$/,
      bendJson(({ versions }) => ({
        versions: [{ version_id: '3.0' }, ...(versions as readonly Json[])],
      })),
    ),
  },
  'opencde-foundation-1.0': {
    does: 'The Foundation API is there in version 1.0 only.',
    at: 'metadata',
    bend: (answer, call) =>
      call.url.pathname.includes('/foundation/1.1/')
        ? NOT_FOUND
        : bendVersions((versions) => versions.filter((each) => each['version_id'] !== '1.1'))(
            answer,
            call,
          ),
  },
  'opencde-versions-html': {
    does: '/foundation/versions is answered with the page that a web app has for every path: status 200, HTML.',
    at: 'metadata',
    bend: bendAt(/\/foundation\/versions$/, () => ({ status: 200, ...HTML })),
  },
  'opencde-versions-empty': {
    does: 'The list of versions is empty.',
    at: 'metadata',
    bend: bendVersions(() => []),
  },
  'opencde-versions-null-entry': {
    does: 'The list of versions begins with null, as its schema allows.',
    at: 'metadata',
    bend: bendVersions((versions) => [null, ...versions]),
  },
  'opencde-versions-newer': {
    does: 'The list of versions begins with foundation 2.0, bcf 4.0 and documents 1.0.',
    at: 'metadata',
    bend: bendVersions((versions) => [
      { api_id: 'foundation', version_id: '2.0' },
      { api_id: 'bcf', version_id: '4.0' },
      { api_id: 'documents', version_id: '1.0' },
      ...versions,
    ]),
  },
  'opencde-no-bcf': {
    does: 'The list of versions names no BCF API.',
    at: 'metadata',
    bend: bendVersions((versions) => versions.filter((each) => each['api_id'] !== 'bcf')),
  },
  'opencde-base-url': {
    does: 'Every version has its api_base_url, in place.',
    at: 'metadata',
    bend: bendBaseUrls(rootOf),
  },
  'opencde-base-url-slash': {
    does: 'Every version has its api_base_url, in place, with a slash behind it.',
    at: 'metadata',
    bend: bendBaseUrls(rootOf, '/'),
  },
  'opencde-base-url-null': {
    does: 'api_base_url and detailed_version are null.',
    at: 'metadata',
    bend: bendVersions((versions) =>
      versions.map((each) => ({ ...each, api_base_url: null, detailed_version: null })),
    ),
  },
  'opencde-base-url-path': {
    does: 'api_base_url is on the same origin, under the path /relocated.',
    at: 'metadata',
    bend: bendBaseUrls(({ url }) => `${url.origin}/relocated`),
  },
  'opencde-base-url-foreign': {
    does: 'api_base_url is on another origin.',
    at: 'metadata',
    bend: bendBaseUrls(() => 'https://collector.example'),
  },
  'opencde-base-url-http': {
    does: 'api_base_url is plain http, on a host that is not loopback.',
    at: 'metadata',
    bend: bendBaseUrls(() => 'http://cde.example'),
  },
  'opencde-basic-string': {
    does: 'http_basic_supported is the text "false", as in one of Catenda’s documents.',
    at: 'metadata',
    bend: bendAuth((json) => ({ ...json, http_basic_supported: 'false' })),
  },
  'opencde-auth-basic-only': {
    does: 'The OAuth URLs are null; the server takes user names and passwords only.',
    at: 'metadata',
    bend: bendAuth(() => ({
      oauth2_auth_url: null,
      oauth2_token_url: null,
      http_basic_supported: true,
      supported_oauth2_flows: [],
    })),
  },
  'opencde-auth-one-url': {
    does: 'There is an oauth2_auth_url, but no oauth2_token_url.',
    at: 'metadata',
    bend: bendAuth((json) => omit(json, 'oauth2_token_url')),
  },
  'opencde-auth-implicit': {
    does: 'The only flow is implicit_grant.',
    at: 'metadata',
    bend: bendAuth((json) => ({ ...json, supported_oauth2_flows: ['implicit_grant'] })),
  },
  'opencde-auth-flows-null': {
    does: 'supported_oauth2_flows is null, as its schema allows.',
    at: 'metadata',
    bend: bendAuth((json) => ({ ...json, supported_oauth2_flows: null })),
  },
  'opencde-auth-query': {
    does: 'oauth2_auth_url has a query of its own, which must stay.',
    at: 'metadata',
    bend: bendAuth((json) => ({
      ...json,
      oauth2_auth_url: `${json['oauth2_auth_url']}?tenant=harbour`,
    })),
  },
  'opencde-auth-foreign': {
    does: 'The OAuth URLs are on another origin.',
    at: 'metadata',
    bend: oauthUrlsAt('https://collector.example'),
  },
  'opencde-auth-http': {
    does: 'The OAuth URLs are plain http, on a host that is not loopback.',
    at: 'metadata',
    bend: oauthUrlsAt('http://cde.example'),
  },
  'opencde-pkce-required': {
    does: 'The auth answer says that PKCE is required, by S256: the standard has this since 1.1.',
    at: 'metadata',
    bend: bendAuth((json) => ({ ...json, pkce_required: true, code_challenge_method: 'S256' })),
  },
  'opencde-pkce-plain': {
    does: 'The auth answer says that PKCE is required, by the method plain.',
    at: 'metadata',
    bend: bendAuth((json) => ({ ...json, pkce_required: true, code_challenge_method: 'plain' })),
  },
  ...OPENCDE_OAUTH_FAULTS,
  ...OPENCDE_BCF_FAULTS,
} as const satisfies Faulty;
