import { base64url } from '../../oauth/base64url.js';
import { sha256OfText } from '../encoding.js';

export interface ApsNode {
  readonly type: 'hubs' | 'projects' | 'folders' | 'items';
  readonly id: string;
  readonly name: string;
  readonly region: Region;
  /** Which of the two products it belongs to, as `extension.type` says. */
  readonly product: Product;
  readonly children: readonly ApsNode[];
}

type Region = 'US' | 'EMEA';
type Product = 'bim360' | 'core';

/** Folders hold folders and, `null`, files. Names only: ids follow from the path. */
type Outline = { readonly [name: string]: Outline | null };

const files = (count: number, name: string) =>
  Object.fromEntries(
    Array.from({ length: count }, (_, index) => [
      `${name} ${String(index + 1).padStart(2, '0')}.rvt`,
      null,
    ]),
  );

/** "Models" holds enough for several pages, where a client asks for small ones. */
const HUBS: ReadonlyArray<readonly [name: string, Region, Product, projects: Outline]> = [
  [
    'Harbour Engineering',
    'US',
    'bim360',
    {
      'Harbour Bridge': {
        'Project Files': {
          Models: { Structure: files(2, 'Pier'), Archive: {}, ...files(23, 'Deck segment') },
          Drawings: { 'General arrangement.dwg': null },
        },
        Plans: {},
      },
      'Station North': { 'Project Files': { 'Concourse.rvt': null } },
    },
  ],
  [
    'Harbour Engineering Europe',
    'EMEA',
    'bim360',
    { 'Tunnel East': { 'Project Files': { 'Portal.ifc': null } }, 'Empty project': {} },
  ],
  [
    'Plug-in Team',
    'US',
    'core',
    { 'Test parts': { 'Test parts': { 'Bracket.f3d': null, 'Hinge.f3d': null } } },
  ],
];

const TYPES = ['hubs', 'projects', 'folders'] as const;

const bytesOf = (path: readonly string[]) => sha256OfText(path.join('/')).subarray(0, 16);

/** Shaped like a UUID of version 8 (RFC 9562). */
function uuidOf(path: readonly string[]): string {
  const hex = [...bytesOf(path)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12})$/, '$1-$2-8$3-a$4-$5');
}

/** Hubs and projects: the account's UUID behind `b.`, or, of teams, something else behind `a.`. */
function idOf(type: ApsNode['type'], path: readonly string[], region: Region, product: Product) {
  const storage = `urn:adsk.${region === 'EMEA' ? 'wipemea' : 'wipprod'}`;
  if (type === 'folders') return `${storage}:fs.folder:co.${base64url(bytesOf(path))}`;
  if (type === 'items') return `${storage}:dm.lineage:${base64url(bytesOf(path))}`;
  const team = new TextEncoder().encode(`business:${path.join('#').toLowerCase()}`);
  return product === 'core' ? `a.${base64url(team)}` : `b.${uuidOf(path)}`;
}

function nodeOf(
  path: readonly string[],
  content: Outline | null,
  region: Region,
  product: Product,
): ApsNode {
  const type = content === null ? 'items' : (TYPES[path.length - 1] ?? 'folders');
  return {
    type,
    id: idOf(type, path, region, product),
    name: path.at(-1) ?? '',
    region,
    product,
    children: Object.entries(content ?? {}).map(([name, below]) =>
      nodeOf([...path, name], below, region, product),
    ),
  };
}

/** The hubs with all that is in them. The same in every run. */
export const apsHubs = (): readonly ApsNode[] =>
  HUBS.map(([name, region, product, projects]) => nodeOf([name], projects, region, product));

/** A folder by its id, at any depth. */
export function findFolder(nodes: readonly ApsNode[], id: string): ApsNode | undefined {
  for (const node of nodes) {
    const found = node.type === 'folders' && node.id === id ? node : findFolder(node.children, id);
    if (found) return found;
  }
  return undefined;
}
