import { bendJson, hang, HTML, reset, type Faulty } from './fault.js';

const message = (statusCode: number, text: string) => ({
  status: statusCode,
  json: { statusCode, message: text },
});

/** What can go wrong behind the sign-in. */
export const API_FAULTS = {
  'api-url-foreign': {
    does: 'apiUrl is on a host that only begins like the platform’s.',
    at: 'apiInfo',
    bend: bendJson((json) => ({
      ...json,
      apiUrl: 'https://api-ue1.prevu3d.com.evil.example/realityconnect-api',
    })),
  },
  'api-url-http': {
    does: 'apiUrl is the right host, by plain http.',
    at: 'apiInfo',
    bend: bendJson((json) => ({
      ...json,
      apiUrl: 'http://api-ue1.prevu3d.com/realityconnect-api',
    })),
  },
  'api-url-missing': {
    does: 'The api-info answer holds no apiUrl.',
    at: 'apiInfo',
    bend: bendJson(({ apiUrl: _, ...rest }) => rest),
  },
  'api-info-500': {
    does: 'The api-info endpoint answers with status 500.',
    at: 'apiInfo',
    instead: () => message(500, 'Internal Server Error'),
  },
  'api-401': {
    does: 'The API answers every token with status 401.',
    at: 'api',
    instead: () => ({
      ...message(401, 'Unauthorized'),
      headers: { 'www-authenticate': 'Bearer error="invalid_token"' },
    }),
  },
  'api-401-once': {
    does: 'The API answers with status 401 once, though the token is good.',
    at: 'api',
    times: 'once',
    instead: () => ({
      ...message(401, 'Unauthorized'),
      headers: { 'www-authenticate': 'Bearer error="invalid_token"' },
    }),
  },
  'api-403': {
    does: 'The API answers with status 403: content access or role is missing.',
    at: 'api',
    instead: () => message(403, 'Forbidden'),
  },
  'api-429-once': {
    does: 'The API answers with status 429 and Retry-After: 1, once.',
    at: 'api',
    times: 'once',
    instead: () => ({ ...message(429, 'Too Many Requests'), headers: { 'retry-after': '1' } }),
  },
  'api-503-once': {
    does: 'The API answers with status 503 once.',
    at: 'api',
    times: 'once',
    instead: () => message(503, 'Service Unavailable'),
  },
  'api-200-html': {
    does: 'A captive portal answers for the API: status 200, HTML.',
    at: 'api',
    instead: () => ({ status: 200, ...HTML }),
  },
  'api-redirect': {
    does: 'The API answers with status 302 to another host.',
    at: 'api',
    instead: () => ({ status: 302, headers: { location: 'https://collector.example/' } }),
  },
  'api-reset': {
    does: 'The connection to the API is reset.',
    at: 'api',
    instead: reset,
  },
  'api-hang': {
    does: 'The API never answers; ends when the client gives up.',
    at: 'api',
    instead: hang,
  },
  'browse-object': {
    does: 'Browsing gives an object that holds the array, instead of the array.',
    at: 'browse',
    bend: bendJson((nodes) => ({ nodes, total: Object.keys(nodes).length })),
  },
  'browse-unreadable': {
    does: 'Browsing gives an object with two arrays.',
    at: 'browse',
    bend: bendJson((nodes) => ({ nodes, hidden: [] })),
  },
  'browse-without-ids': {
    does: 'Browsing gives nodes without ids.',
    at: 'browse',
    bend: bendJson((nodes) => Object.values(nodes).map(() => ({ name: 'A node without id' }))),
  },
} as const satisfies Faulty;
