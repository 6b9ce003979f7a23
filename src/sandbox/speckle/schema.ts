import { APP_SCOPES } from './consent.js';
import { findProject, projectsAfter } from './projects.js';
import type { Claims } from '../token.js';

/** Who asks, and where. */
export interface Viewer {
  readonly claims: Claims | null;
  readonly origin: string;
}

/** What a field gives in the place of a value: it is null, and the reason stands in `errors`. */
export interface FieldRefusal {
  readonly refused: {
    readonly message: string;
    readonly extensions: Readonly<Record<string, unknown>>;
  };
}

export interface FieldRule {
  /** As the schema writes it: `[Project!]!`. */
  readonly type: string;
  readonly args?: Readonly<Record<string, string>>;
  /** Left out, the value is the member of the same name. */
  readonly resolve?: (args: Readonly<Record<string, unknown>>, viewer: Viewer) => unknown;
}

export type ObjectRule = Readonly<Record<string, FieldRule>>;

export const isRefusal = (value: unknown): value is FieldRefusal =>
  typeof value === 'object' && value !== null && 'refused' in value;

const refuse = (
  message: string,
  extensions: FieldRefusal['refused']['extensions'],
): FieldRefusal => ({ refused: { message, extensions } });

function needs(scope: string, { claims }: Viewer): FieldRefusal | undefined {
  if (claims?.scopes.includes(scope)) return undefined;
  const message = `Your auth token does not have the required scope: ${scope}.`;
  return refuse(message, { code: 'FORBIDDEN', scope, statusCode: 403 });
}

const USER = {
  id: '4c1e90b7d2',
  name: 'John Doe',
  bio: null,
  company: 'Harbour Engineering',
  avatar: null,
  verified: true,
  role: 'server:user',
  email: 'john.doe@sandbox.example',
};

const text = (value: unknown): string => (typeof value === 'string' ? value : '');

// prettier-ignore
export const TYPES: Readonly<Record<string, ObjectRule>> = {
  Query: {
    activeUser: {
      type: 'User',
      resolve: (_, viewer) => (viewer.claims ? (needs('profile:read', viewer) ?? USER) : null),
    },
    project: {
      type: 'Project!',
      args: { id: 'String!' },
      resolve: ({ id }, viewer) =>
        findProject(text(id))
          ? (needs('streams:read', viewer) ?? findProject(text(id)))
          : refuse('Project not found', { code: 'STREAM_NOT_FOUND', statusCode: 404 }),
    },
    serverInfo: {
      type: 'ServerInfo!',
      resolve: (_, { origin }) => ({
        name: 'Speckle sandbox',
        company: 'Nobody',
        description: 'This is not Speckle. No account, no real data.',
        version: '2.5.4',
        canonicalUrl: origin,
        authStrategies: [{ id: 'local', name: 'Local', icon: 'account', url: '/auth/local' }],
        scopes: APP_SCOPES.map((name) => ({ name, description: `Allows ${name}.` })),
      }),
    },
  },
  User: {
    id:       { type: 'ID!' },
    name:     { type: 'String!' },
    bio:      { type: 'String' },
    company:  { type: 'String' },
    avatar:   { type: 'String' },
    verified: { type: 'Boolean' },
    role:     { type: 'String' },
    // Kept back without an error, or the whole user would be missing.
    email: {
      type: 'String',
      resolve: (_, viewer) => (needs('profile:email', viewer) ? null : USER.email),
    },
    projects: {
      type: 'UserProjectCollection!',
      args: { limit: 'Int', cursor: 'String', filter: 'UserProjectsFilter' },
      resolve: ({ limit, cursor, filter }, viewer) =>
        needs('streams:read', viewer) ??
        projectsAfter(
          text(cursor),
          typeof limit === 'number' ? limit : 25,
          text((Object(filter) as { search?: unknown }).search),
        ),
    },
  },
  UserProjectCollection: {
    totalCount:     { type: 'Int!' },
    numberOfHidden: { type: 'Int!' },
    cursor:         { type: 'String' },
    items:          { type: '[Project!]!' },
  },
  Project: {
    id:          { type: 'ID!' },
    name:        { type: 'String!' },
    description: { type: 'String' },
    visibility:  { type: 'ProjectVisibility!' },
    role:        { type: 'String' },
    createdAt:   { type: 'DateTime!' },
    updatedAt:   { type: 'DateTime!' },
  },
  ServerInfo: {
    name:           { type: 'String!' },
    company:        { type: 'String' },
    description:    { type: 'String' },
    version:        { type: 'String' },
    canonicalUrl:   { type: 'String' },
    authStrategies: { type: '[AuthStrategy!]!' },
    scopes:         { type: '[Scope!]!' },
  },
  AuthStrategy: {
    id:   { type: 'String!' },
    name: { type: 'String!' },
    icon: { type: 'String!' },
    url:  { type: 'String!' },
  },
  Scope: {
    name:        { type: 'String!' },
    description: { type: 'String!' },
  },
};

export function ruleOf(type: string, field: string): FieldRule | undefined {
  const rules = Object.hasOwn(TYPES, type) ? TYPES[type] : undefined;
  return rules && Object.hasOwn(rules, field) ? rules[field] : undefined;
}

/** The type inside the list and the exclamation marks. */
export const bare = (type: string): string => type.replace(/[[\]!]/g, '');

export const isObjectType = (type: string): boolean => Object.hasOwn(TYPES, bare(type));
