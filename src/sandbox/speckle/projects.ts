import { base64 } from '../../oauth/base64url.js';
import { textFromBase64 } from '../encoding.js';

export interface Project {
  readonly id: string;
  readonly name: string;
  readonly description: string | null;
  readonly visibility: 'PRIVATE' | 'PUBLIC';
  readonly role: string;
  readonly createdAt: string;
  /** No two are the same, so a page can begin after one. */
  readonly updatedAt: string;
}

export interface ProjectPage {
  readonly totalCount: number;
  readonly numberOfHidden: number;
  readonly cursor: string | null;
  readonly items: readonly Project[];
}

/** Newest first. */
const NAMES = [
  ['8f2c1d907a', 'Harbour Bridge'],
  ['3b60e4a1c5', 'Longueuil Plant'],
  ['d47905fe12', 'Station North'],
  ['61ac3e88b0', 'Boilerhouse'],
  ['f09d2b7c34', 'Dock 4'],
  ['2e5817d6af', 'Pipe Rack Study'],
  ['97bb40c2e3', 'Site Survey 2025'],
] as const;

const PROJECTS: readonly Project[] = NAMES.map(([id, name], index) => ({
  id,
  name,
  description: index === 0 ? 'Steel and deck, as surveyed' : null,
  visibility: index === 2 ? 'PUBLIC' : 'PRIVATE',
  role: index < 5 ? 'stream:owner' : 'stream:contributor',
  createdAt: new Date(Date.UTC(2025, 0, 20 - index)).toISOString(),
  updatedAt: new Date(Date.UTC(2025, 6, 23 - index, 16, 6, 56)).toISOString(),
}));

export const findProject = (id: string): Project | undefined =>
  PROJECTS.find((project) => project.id === id);

/**
 * A cursor is where the page before ended. The last page with projects has one too, and only the empty
 * page behind it has none. A cursor that cannot be read is the beginning.
 */
export function projectsAfter(cursor: string | null, limit: number, search: string): ProjectPage {
  const wanted = PROJECTS.filter(({ name }) => name.toLowerCase().includes(search.toLowerCase()));
  const end = textFromBase64(cursor ?? '') ?? '';
  const isReadable = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(end);
  const left = isReadable ? wanted.filter(({ updatedAt }) => updatedAt < end) : wanted;
  const items = left.slice(0, Math.max(limit, 0));
  const last = items.at(-1);
  return {
    totalCount: wanted.length,
    numberOfHidden: 0,
    cursor: last ? base64(new TextEncoder().encode(last.updatedAt)) : null,
    items,
  };
}
