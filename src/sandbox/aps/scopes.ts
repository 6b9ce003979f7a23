/** Every scope of the platform's Developer's Guide but the one for a single resource. */
export const APS_SCOPES = [
  'user-profile:read',
  'user:read',
  'user:write',
  'viewables:read',
  'data:read',
  'data:write',
  'data:create',
  'data:search',
  'bucket:create',
  'bucket:read',
  'bucket:update',
  'bucket:delete',
  'code:all',
  'account:read',
  'account:write',
  'openid',
];

const MAX_SCOPES = 50;
const MAX_CHARACTERS = 3_000;
const ONE_RESOURCE = /^data:read:[\x21\x23-\x5b\x5d-\x7e]+$/;

/** The scopes of a request, parted by one blank each; `null` when the platform would not take them. */
export function readScopes(text: string | null): readonly string[] | null {
  const scopes = text?.split(' ') ?? [];
  const isFit = scopes.length > 0 && scopes.length <= MAX_SCOPES;
  const isKnown = (scope: string) => APS_SCOPES.includes(scope) || ONE_RESOURCE.test(scope);
  return isFit && (text?.length ?? 0) <= MAX_CHARACTERS && scopes.every(isKnown) ? scopes : null;
}
