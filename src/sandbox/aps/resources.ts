import type { ApsNode } from './tree.js';
import { APS_USER } from './user.js';

/** Where a resource is shown: what its links and relationships name. */
export interface Around {
  readonly origin: string;
  readonly hub?: ApsNode;
  readonly projectId?: string;
  readonly parent?: ApsNode;
}

const related = (href: string) => ({ links: { related: { href } } });

function extension(origin: string, type: string, data: object = {}) {
  const href = `${origin}/schema/v1/versions/${type}-1.0`;
  return { type, version: '1.0', schema: { href }, data };
}

/** Seven digits of a second, as the platform prints it. */
const HISTORY = {
  createTime: '2026-03-02T08:15:00.0000000Z',
  createUserId: APS_USER.sub,
  createUserName: APS_USER.name,
  lastModifiedTime: '2026-05-18T14:40:11.0000000Z',
  lastModifiedUserId: APS_USER.sub,
  lastModifiedUserName: APS_USER.name,
};

function hub({ type, id, name, region, product }: ApsNode, { origin }: Around) {
  const self = `${origin}/project/v1/hubs/${id}`;
  const kind = product === 'core' ? 'hubs:autodesk.core:Hub' : 'hubs:autodesk.bim360:Account';
  return {
    type,
    id,
    attributes: { name, extension: extension(origin, kind), region },
    links: { self: { href: self } },
    relationships: { projects: related(`${self}/projects`) },
  };
}

function project({ type, id, name, product }: ApsNode, { origin, hub }: Around) {
  const hubHref = `${origin}/project/v1/hubs/${hub?.id}`;
  const self = `${hubHref}/projects/${id}`;
  const data = product === 'core' ? {} : { projectType: 'ACC' };
  return {
    type,
    id,
    attributes: {
      name,
      extension: extension(origin, `projects:autodesk.${product}:Project`, data),
    },
    links: { self: { href: self } },
    relationships: {
      hub: { data: { type: 'hubs', id: hub?.id }, ...related(hubHref) },
      topFolders: related(`${self}/topFolders`),
    },
  };
}

const parentOf = ({ parent }: Around) => ({ data: { type: 'folders', id: parent?.id } });

function folder({ type, id, name, product, children }: ApsNode, around: Around) {
  const { origin, projectId, parent } = around;
  const self = `${origin}/data/v1/projects/${projectId}/folders/${encodeURIComponent(id)}`;
  return {
    type,
    id,
    attributes: {
      name,
      displayName: name,
      ...HISTORY,
      objectCount: children.length,
      hidden: false,
      extension: extension(origin, `folders:autodesk.${product}:Folder`),
    },
    links: { self: { href: self } },
    relationships: {
      contents: related(`${self}/contents`),
      ...(parent && { parent: parentOf(around) }),
    },
  };
}

const versionId = ({ id }: ApsNode) => `${id.replace('dm.lineage:', 'fs.file:vf.')}?version=1`;

/** An item has no `name`, only a `displayName`. */
function item(node: ApsNode, around: Around) {
  const { type, id, name, product } = node;
  const { origin, projectId } = around;
  const self = `${origin}/data/v1/projects/${projectId}/items/${encodeURIComponent(id)}`;
  return {
    type,
    id,
    attributes: {
      displayName: name,
      ...HISTORY,
      hidden: false,
      reserved: false,
      extension: extension(origin, `items:autodesk.${product}:File`),
    },
    links: { self: { href: self } },
    relationships: {
      tip: { data: { type: 'versions', id: versionId(node) }, ...related(`${self}/tip`) },
      versions: related(`${self}/versions`),
      parent: parentOf(around),
    },
  };
}

/** The latest version of an item: what the contents of a folder bring along as `included`. */
export function tipVersion(node: ApsNode, { origin, projectId }: Around) {
  const { id, name, product } = node;
  const ownId = versionId(node);
  const href = `${origin}/data/v1/projects/${projectId}/versions/${encodeURIComponent(ownId)}`;
  return {
    type: 'versions',
    id: ownId,
    attributes: {
      name,
      displayName: name,
      ...HISTORY,
      versionNumber: 1,
      fileType: name.split('.').at(-1),
      storageSize: 1_048_576,
      extension: extension(origin, `versions:autodesk.${product}:File`),
    },
    links: { self: { href } },
    relationships: { item: { data: { type: 'items', id } } },
  };
}

const WRITERS = { hubs: hub, projects: project, folders: folder, items: item };

/** A node as JSON:API has it. */
export const resource = (node: ApsNode, around: Around) => WRITERS[node.type](node, around);
