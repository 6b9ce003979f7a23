import type { Grants } from '../grants.js';
import type { Answer, Call } from '../message.js';
import { bcfResource, type BcfVersion } from './projects.js';
import { readBearer } from '../token-endpoint.js';
import type { Claims } from '../token.js';

/** The body of every error, by section 1.6 of the Foundation API. */
const failure = (status: number, message: string): Answer => ({ status, json: { message } });

/** The bearer's claims, or a refusal in the standard's words. */
export function readUser(call: Call, grants: Grants): Claims | Answer {
  const claims = readBearer(call, grants);
  return 'status' in claims ? { ...claims, json: { message: 'Unauthorized' } } : claims;
}

/** Percent-encoding undone; what cannot be decoded stays as it is. */
function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

/** What the path of a BCF call leads to, without regard to the query. */
export function wholeResource({ params: [version, path = ''] }: Call): unknown {
  const segments = path.split('/').slice(1).map(decode);
  return bcfResource(version as BcfVersion, segments);
}

/** A number of OData's `$top` and `$skip`; `null` when the text is none. */
export function readCount(call: Call, name: '$top' | '$skip', absent: number): number | null {
  const text = call.url.searchParams.get(name);
  if (text === null) return absent;
  return /^\d{1,9}$/.test(text) ? Number(text) : null;
}

/** What the user may do: only who asks for it gets it. */
function withAuthorization(resource: object): object {
  return 'title' in resource
    ? { ...resource, authorization: { topic_actions: ['update', 'createComment'] } }
    : resource;
}

/** Lists are bare arrays: no total, no link to the next page. */
export function answerBcf(call: Call, grants: Grants): Answer {
  const claims = readUser(call, grants);
  if ('status' in claims) return claims;
  const resource = wholeResource(call);
  if (resource === undefined) return failure(404, 'Not Found');
  const asked = call.url.searchParams.get('includeAuthorization') === 'true';
  const complete = (each: object) => (asked ? withAuthorization(each) : each);
  if (!Array.isArray(resource)) return { status: 200, json: complete(resource as object) };
  const skip = readCount(call, '$skip', 0);
  const top = readCount(call, '$top', resource.length);
  if (skip === null || top === null) return failure(400, '$top and $skip must be whole numbers.');
  return { status: 200, json: resource.slice(skip, skip + top).map(complete) };
}
