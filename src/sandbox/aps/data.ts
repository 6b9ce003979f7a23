import { apsError } from './error.js';
import { APS_HOSTS } from './hosts.js';
import { resource, tipVersion, type Around } from './resources.js';
import { apsHubs, findFolder, type ApsNode } from './tree.js';
import type { Grants } from '../grants.js';
import type { Answer, Call } from '../message.js';
import type { Route } from '../platform.js';
import { readBearer } from '../token-endpoint.js';

const LIMIT = { least: 1, most: 200 };

/** The API's own answer to a token it does not take: no body, and the reason in a header. */
export const EXPIRED: Answer = {
  status: 401,
  headers: { 'x-ads-troubleshooting': 'Token Expired. Please refresh the token.' },
};

/** Not JSON. */
export const NO_PRIVILEGE: Answer = {
  status: 403,
  headers: { 'content-type': 'text/plain' },
  text: 'Token does not have the privilege for this request.',
};

const NOT_FOUND = apsError(404, { developerMessage: 'The requested resource does not exist.' });

interface Page {
  readonly shown: readonly ApsNode[];
  /** From the root of the host; `undefined` on the last page. */
  readonly next: string | undefined;
}

function wholeNumber(text: string | null, otherwise: number): number {
  if (text === null) return otherwise;
  return /^\d{1,9}$/.test(text) ? Number(text) : NaN;
}

/** Pages are counted from 0. */
function pageOf(nodes: readonly ApsNode[], { url }: Call): Page | undefined {
  const number = wholeNumber(url.searchParams.get('page[number]'), 0);
  const limit = wholeNumber(url.searchParams.get('page[limit]'), LIMIT.most);
  if (!(number >= 0 && limit >= LIMIT.least && limit <= LIMIT.most)) return undefined;
  const end = (number + 1) * limit;
  const query = new URLSearchParams(url.search);
  query.set('page[number]', String(number + 1));
  query.set('page[limit]', String(limit));
  return {
    shown: nodes.slice(number * limit, end),
    next: end < nodes.length ? `${url.pathname}?${query.toString()}` : undefined,
  };
}

function collection({ url }: Call, { shown, next }: Page, around: Omit<Around, 'origin'>): Answer {
  const where = { ...around, origin: url.origin };
  const items = shown.filter(({ type }) => type === 'items');
  return {
    status: 200,
    json: {
      jsonapi: { version: '1.0' },
      links: { self: { href: url.href }, ...(next !== undefined && { next: { href: next } }) },
      data: shown.map((node) => resource(node, where)),
      ...(items.length > 0 && { included: items.map((node) => tipVersion(node, where)) }),
    },
  };
}

function paged(call: Call, nodes: readonly ApsNode[], around: Omit<Around, 'origin'>): Answer {
  const page = pageOf(nodes, call);
  return page
    ? collection(call, page, around)
    : apsError(400, { developerMessage: 'page[number] or page[limit] is out of range.' });
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

/** The nodes that a path names, each looked for below the one before. */
function walk(ids: readonly string[]): readonly ApsNode[] {
  let nodes = apsHubs();
  return ids.flatMap((id) => {
    const found = nodes.filter((node) => node.id === decode(id));
    nodes = found.flatMap(({ children }) => children);
    return found;
  });
}

const listHubs = (call: Call): Answer =>
  collection(call, { shown: apsHubs(), next: undefined }, {});

function listProjects(call: Call): Answer {
  const [hub] = walk(call.params);
  return hub ? paged(call, hub.children, { hub }) : NOT_FOUND;
}

function listTopFolders(call: Call): Answer {
  const [, project] = walk(call.params);
  if (!project) return NOT_FOUND;
  return collection(call, { shown: project.children, next: undefined }, { projectId: project.id });
}

function listContents(call: Call): Answer {
  const [projectId = '', folderId = ''] = call.params.map(decode);
  const projects = apsHubs().flatMap(({ children }) => children);
  const project = projects.find(({ id }) => id === projectId);
  const folder = findFolder(project?.children ?? [], folderId);
  return folder ? paged(call, folder.children, { projectId, parent: folder }) : NOT_FOUND;
}

/**
 * Data Management, so far as it is browsed. An application with its own token sees what a user sees;
 * `x-user-id` is taken and changes nothing.
 */
export function apsDataRoutes(grants: Grants): readonly Route[] {
  const route = (path: RegExp, list: (call: Call) => Answer): Route => ({
    method: 'GET',
    path,
    hosts: APS_HOSTS,
    place: 'api',
    answer(call) {
      const claims = readBearer(call, grants);
      if ('status' in claims) return EXPIRED;
      return claims.scopes.includes('data:read') ? list(call) : NO_PRIVILEGE;
    },
  });
  return [
    route(/^\/project\/v1\/hubs$/, listHubs),
    route(/^\/project\/v1\/hubs\/([^/]+)\/projects$/, listProjects),
    route(/^\/project\/v1\/hubs\/([^/]+)\/projects\/([^/]+)\/topFolders$/, listTopFolders),
    route(/^\/data\/v1\/projects\/([^/]+)\/folders\/([^/]+)\/contents$/, listContents),
  ];
}
