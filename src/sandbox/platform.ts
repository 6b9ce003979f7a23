import { DEVICE_CODE_GRANT } from './devices.js';
import type { HttpRequest } from '../ports/index.js';
import type { Faults, Place } from './faults/switches.js';
import type { GrantPolicy, Grants } from './grants.js';
import { readCall, toResponse, type Answer, type Call, type SandboxResponse } from './message.js';

export interface Route {
  readonly method: 'GET' | 'POST';
  readonly path: RegExp;
  /** Where the route is served; everywhere when left out. Loopback serves every route. */
  readonly hosts?: readonly string[];
  /** What faults call it. */
  readonly place: Place;
  /** Further places, which the request itself tells. */
  readonly places?: (call: Call) => readonly Place[];
  readonly answer: (call: Call) => Answer;
}

/** What was registered at the platform for the application that signs in. */
export interface Registration {
  /** Exact callback addresses; `undefined` when none were registered by name. */
  readonly redirectUris: readonly string[] | undefined;
}

/** A platform on one's desk: its routes, and how a client finds them once it is served. */
export interface Platform<Environment> {
  readonly routes: (grants: Grants, registration: Registration) => readonly Route[];
  /** How its tokens live, where that is not as RFC 6749 and RFC 9700 have it. */
  readonly policy?: GrantPolicy;
  readonly environment: (origin: string) => Environment;
}

export function isLoopback({ hostname }: URL): boolean {
  return hostname === 'localhost' || hostname === '127.0.0.1' || hostname === '[::1]';
}

// A panel that is developed at one origin must reach a sandbox at another. There is nothing to steal.
const CORS = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers': 'retry-after, www-authenticate',
};

function preflight(request: HttpRequest): Answer {
  return {
    status: 204,
    headers: {
      ...CORS,
      'access-control-allow-methods': 'GET, POST',
      'access-control-allow-headers': request.headers['access-control-request-headers'] ?? '',
      'access-control-allow-private-network': 'true',
    },
  };
}

/** No other page reads these. */
const PAGES: readonly Place[] = ['consent', 'redirect', 'verification'];

const GRANT_PLACES = new Map<string | null, Place>([
  ['authorization_code', 'exchange'],
  ['refresh_token', 'refresh'],
  ['client_credentials', 'service'],
  [DEVICE_CODE_GRANT, 'poll'],
]);

function placesOf(route: Route, call: Call): readonly Place[] {
  const more =
    route.place === 'token'
      ? GRANT_PLACES.get(call.form.get('grant_type'))
      : route.place === 'browse' && ('api' as const);
  return [route.place, ...(more ? [more] : []), ...(route.places?.(call) ?? [])];
}

/** Answers one request. Rejects where a real network would: an unknown host, plain http, an abort. */
export async function serve(
  routes: readonly Route[],
  faults: Faults,
  request: HttpRequest,
): Promise<SandboxResponse> {
  // A bare engine has no AbortSignal to hand in.
  const signal: AbortSignal | undefined = request.signal;
  if (signal?.aborted) throw new Error('The request was aborted.');
  const url = new URL(request.url);
  const here = isLoopback(url)
    ? routes
    : routes.filter(
        ({ hosts }) => url.protocol === 'https:' && hosts?.includes(url.host) !== false,
      );
  if (here.length === 0) throw new Error('The sandbox does not serve this host.');

  const found = here.filter(({ path }) => path.test(url.pathname));
  if (request.method === 'OPTIONS' && found.length > 0) return toResponse(preflight(request));
  const route = found.find(({ method }) => method === request.method);
  if (!route) {
    const status = found.length > 0 ? 405 : 404;
    return toResponse({ status, headers: CORS, json: { error: 'The sandbox has no such route.' } });
  }
  const params = route.path.exec(url.pathname)?.slice(1) ?? [];
  const call = await readCall(request, params);
  const answer = await faults.apply(placesOf(route, call), call, () => route.answer(call));
  return toResponse(
    PAGES.includes(route.place) ? answer : { ...answer, headers: { ...CORS, ...answer.headers } },
  );
}
