import { sha256OfText } from '../encoding.js';
import type { Organization } from '../organizations.js';

export type NodeType = 'organization' | 'division' | 'site' | 'folder' | 'asset';

/** The documents print no schema of a node; `id`, `name` and `type` are what a list needs. */
export interface TreeNode {
  readonly id: string;
  readonly name: string;
  readonly type: NodeType;
  readonly parentId: string | null;
}

/** Divisions → sites → folders → assets. Names only: ids follow from the path. */
type Outline = { readonly [name: string]: Outline | readonly string[] };

const OUTLINES: Readonly<Record<string, Outline>> = {
  'Test Organization': {
    Manufacturing: {
      'Longueuil Plant': {
        'Level 0': ['Press hall scan', 'Loading dock scan'],
        'Level 1': ['Pipe rack scan', 'Control room scan', 'Mezzanine mesh'],
      },
      'Trois-Rivières Plant': { Boilerhouse: ['Boiler 1 scan', 'Boiler 2 scan'] },
    },
    'Oil & Gas': {
      'Montréal-Est Refinery': { 'Unit 12': ['Column C-1201 scan', 'Flare stack mesh'] },
    },
    Empty: {},
  },
  'Harbour Engineering': {
    Shipyards: { 'Dock 4': { Hull: ['Section 11 scan', 'Section 12 scan'] } },
  },
};

const DEPTH: readonly NodeType[] = ['organization', 'division', 'site', 'folder', 'asset'];

/** The same path has the same id in every run: shaped like a UUID of version 8 (RFC 9562). */
function idOf(path: readonly string[]): string {
  const hex = [...sha256OfText(path.join('/')).subarray(0, 16)]
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('');
  const [, a, b, c, d, e] = /^(.{8})(.{4}).(.{3}).(.{3})(.{12})$/.exec(hex) ?? [];
  return `${a}-${b}-8${c}-a${d}-${e}`;
}

function* nodesBelow(
  outline: Outline | readonly string[],
  path: readonly string[],
  parentId: string,
): Generator<TreeNode> {
  for (const [key, value] of Object.entries(outline)) {
    const name = typeof value === 'string' ? value : key;
    const below = [...path, name];
    const id = idOf(below);
    yield { id, name, type: DEPTH[path.length] ?? 'asset', parentId };
    if (typeof value !== 'string') yield* nodesBelow(value, below, id);
  }
}

/** Every node of an organization, itself first. */
export function treeOf({ id, name }: Organization): readonly TreeNode[] {
  const root: TreeNode = { id, name, type: 'organization', parentId: null };
  return [root, ...nodesBelow(OUTLINES[name] ?? {}, [name], id)];
}
