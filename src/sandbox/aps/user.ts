import { apsError } from './error.js';
import type { Grants } from '../grants.js';
import type { Answer, Call } from '../message.js';
import { readBearer } from '../token-endpoint.js';

export const APS_USER = {
  sub: 'SANDBOXUSER1',
  name: 'John Doe',
  given_name: 'John',
  family_name: 'Doe',
  preferred_username: 'john.doe',
  email: 'john.doe@sandbox.example',
  email_verified: true,
  profile: 'https://profile.sandbox.example',
  picture: 'https://images.sandbox.example/default/user_X120.png',
  locale: 'en-US',
  updated_at: 1_662_583_480,
  country_code: 'US',
  language: 'en',
  company: 'Harbour Engineering',
  eidm_guid: 'SANDBOXUSER1',
};

/** Of a signed-in user only: an application that signed in as itself is told its token is no good. */
export function apsUserinfo(call: Call, grants: Grants): Answer {
  const claims = readBearer(call, grants);
  return 'status' in claims || claims.subject === 'service'
    ? apsError(401, { developerMessage: 'The access token is invalid.', errorCode: 'AUTH-006' })
    : { status: 200, json: APS_USER };
}
