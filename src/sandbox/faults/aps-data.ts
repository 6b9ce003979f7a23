import { EXPIRED, NO_PRIVILEGE } from '../aps/data.js';
import { apsError } from '../aps/error.js';
import { bendJson, omit, type Fault, type Faulty } from './fault.js';
import type { Call } from '../message.js';

type Json = Readonly<Record<string, unknown>>;

/** In the spelling of the platform, the status as a text. */
const WARNINGS = ['EMEA', 'AUS'].map((region) => ({
  Id: null,
  HttpStatusCode: '403',
  ErrorCode: 'BIM360DM_ERROR',
  Title: `Unable to get hubs from BIM360DM ${region}.`,
  Detail: "You don't have permission to access this API",
  AboutLink: null,
  Source: null,
  meta: null,
}));

const isHubs = ({ url }: Call) => url.pathname === '/project/v1/hubs';

/** Bends the list of hubs and no other. */
const bendHubs =
  (status: number, change: (json: Json) => Json): Required<Fault>['bend'] =>
  (answer, call) =>
    isHubs(call) ? { ...answer, status, json: change(answer.json as Json) } : answer;

/** Bends the next link: `href` is the one that is right, `undefined` on the last page. */
const bendNext = (change: (href: string | undefined, call: Call) => string | undefined) =>
  bendJson((json, call) => {
    const links = json['links'] as { readonly next?: { readonly href: string } } | undefined;
    const href = links && change(links.next?.href, call);
    return href === undefined ? json : { ...json, links: { ...links, next: { href } } };
  });

const behind = (origin: string, href: string | undefined) => href && `${origin}${href}`;

function furtherPage({ url }: Call): string {
  const query = new URLSearchParams(url.search);
  query.set('page[number]', String(Number(query.get('page[number]') ?? 0) + 1));
  return `${url.pathname}?${query.toString()}`;
}

const quotaExceeded = {
  status: 429,
  headers: { 'retry-after': '1' },
  json: { developerMessage: 'Quota limit exceeded.', moreInfo: 'https://aps.autodesk.com/' },
};

/** What a client of Data Management meets: no rights in a region, quotas, and pages that lead astray. */
export const APS_DATA_FAULTS = {
  'aps-hubs-403-warnings': {
    does: 'Hubs: status 403, and still JSON:API, with an empty list and meta.warnings.',
    at: 'api',
    bend: bendHubs(403, () => ({ jsonapi: {}, links: {}, data: [], meta: { warnings: WARNINGS } })),
  },
  'aps-hubs-none-warnings': {
    does: 'Hubs: an empty list with status 200, and meta.warnings that say why.',
    at: 'api',
    bend: bendHubs(200, (json) => ({ ...json, data: [], meta: { warnings: WARNINGS } })),
  },
  'aps-hubs-some-warnings': {
    does: 'Hubs: those of one region with status 200, and meta.warnings about the others.',
    at: 'api',
    bend: bendHubs(200, (json) => ({
      ...json,
      data: (json['data'] as readonly unknown[]).slice(0, 1),
      meta: { warnings: WARNINGS },
    })),
  },
  'aps-hubs-none': {
    does: 'Hubs: an empty list with status 200, and no word why.',
    at: 'api',
    bend: bendHubs(200, (json) => ({ ...json, data: [] })),
  },
  'aps-api-429-once': {
    does: 'Data Management: status 429, Retry-After: 1 and a developerMessage, once.',
    at: 'api',
    times: 'once',
    instead: () => quotaExceeded,
  },
  'aps-api-401-once': {
    does: 'Data Management: status 401 without a body, once, though the token is good.',
    at: 'api',
    times: 'once',
    instead: () => EXPIRED,
  },
  'aps-api-403-text': {
    does: 'Data Management: status 403 as plain text, that the token lacks the privilege.',
    at: 'api',
    instead: () => NO_PRIVILEGE,
  },
  'aps-api-auth-001': {
    does: 'Data Management: status 403, AUTH-001: the application may not use this API.',
    at: 'api',
    instead: () =>
      apsError(403, {
        developerMessage: 'The client_id specified does not have access to the api product',
        errorCode: 'AUTH-001',
      }),
  },
  'aps-api-auth-010': {
    does: 'Data Management: status 403, AUTH-010: the token lacks a privilege.',
    at: 'api',
    instead: () =>
      apsError(403, {
        developerMessage: 'The token does not have the required privileges.',
        errorCode: 'AUTH-010',
      }),
  },
  'aps-page-without-data': {
    does: 'Data Management: the JSON:API answer holds no data.',
    at: 'api',
    bend: bendJson((json) => omit(json, 'data')),
  },
  'aps-next-itself': {
    does: 'Data Management: every page names itself as the next one.',
    at: 'api',
    bend: bendNext((_, { url }) => `${url.pathname}${url.search}`),
  },
  'aps-next-endless': {
    does: 'Data Management: every page names a further one; behind the last they are empty.',
    at: 'api',
    bend: bendNext((_, call) => furtherPage(call)),
  },
  'aps-next-foreign': {
    does: 'Data Management: the next page is on another host.',
    at: 'api',
    bend: bendNext((href) => behind('https://collector.example', href)),
  },
  'aps-next-http': {
    does: 'Data Management: the next page is on the same host, by plain http.',
    at: 'api',
    bend: bendNext((href, { url }) => behind(`http://${url.host}`, href)),
  },
  'aps-next-absolute': {
    does: 'Data Management: the next page comes as a whole address, on the same origin.',
    at: 'api',
    bend: bendNext((href, { url }) => behind(url.origin, href)),
  },
} as const satisfies Faulty;
