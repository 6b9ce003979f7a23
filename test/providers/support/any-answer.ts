import fc from 'fast-check';
import type { Answer } from './stage.js';

/** Names that mean something to somebody, and those of every object. */
const NAMES = [
  ...['access_token', 'accessToken', 'token', 'refresh_token', 'refreshToken', 'token_type'],
  ...['expires_in', 'expiresIn', 'access_token_exp', 'scope', 'hasError', 'inner'],
  ...[
    'error',
    'error_description',
    'err',
    'errorCode',
    'developerMessage',
    'error-code',
    'message',
  ],
  ...['errors', 'extensions', 'code', 'data', 'items', 'cursor', 'links', 'next', 'href', 'meta'],
  ...['id', 'guid', 'project_id', 'name', 'apiUrl', 'api_id', 'version_id', 'api_base_url'],
  ...['issuer', 'authorization_endpoint', 'token_endpoint', 'oauth2_token_url', 'oauth2_auth_url'],
  ...['__proto__', 'constructor', 'prototype', 'toString', 'then', 'toJSON', 'length'],
];

/** JSON texts that no field is meant for: of the wrong type, with no text of their own, leading elsewhere. */
const ODD = [
  ...[
    'null',
    'true',
    'false',
    '0',
    '-1',
    '3600',
    '"3600"',
    '1e300',
    '1e-300',
    '""',
    '" "',
    '"a b"',
  ],
  ...['[]', '{}', '[null]', '[[]]', '["a"]', '["FORBIDDEN"]', '"FORBIDDEN"', '"invalid_grant"'],
  ...['{"toString":1,"valueOf":1}', '[{"toString":1}]', '{"then":1}', '{"length":-1}'],
  ...['{"__proto__":{"polluted":true}}', '{"constructor":{"prototype":{"polluted":true}}}'],
  ...[
    '"Bearer"',
    '"mac"',
    '"\\u0000"',
    '"\\ud800"',
    '"a\\r\\nb: c"',
    '"é"',
    `"${'a'.repeat(300)}"`,
  ],
  ...['"https://evil.example/"', '"https://server.example.evil.example/a"', '"//evil.example/a"'],
  ...['"http://server.example/a"', '"javascript:alert(1)"', '"https://a:b@server.example/"', '"?"'],
];

/** JSON as its parts, so that a name can be there twice. */
type Tree =
  | { readonly kind: 'object'; readonly entries: [name: string, part: Tree][] }
  | { readonly kind: 'array'; readonly items: Tree[] }
  | { readonly kind: 'text'; readonly text: string };

function treeOf(value: unknown): Tree {
  if (Array.isArray(value)) return { kind: 'array', items: value.map(treeOf) };
  if (typeof value !== 'object' || value === null) {
    return { kind: 'text', text: JSON.stringify(value) };
  }
  return {
    kind: 'object',
    entries: Object.entries(value).map(([name, part]) => [name, treeOf(part)]),
  };
}

function write(tree: Tree): string {
  if (tree.kind === 'text') return tree.text;
  if (tree.kind === 'array') return `[${tree.items.map(write).join()}]`;
  return `{${tree.entries.map(([name, part]) => `${JSON.stringify(name)}:${write(part)}`).join()}}`;
}

const nodesOf = (tree: Tree): Tree[] => [
  tree,
  ...(tree.kind === 'object' ? tree.entries.map(([, part]) => part) : []).flatMap(nodesOf),
  ...(tree.kind === 'array' ? tree.items : []).flatMap(nodesOf),
];

interface Damage {
  readonly how: 'add' | 'replace' | 'remove';
  readonly where: number;
  readonly which: number;
  readonly name: string;
  readonly text: string;
}

function damage(tree: Tree, { how, where, which, name, text }: Damage): void {
  const nodes = nodesOf(tree).filter(({ kind }) => kind !== 'text');
  const node = nodes[where % Math.max(nodes.length, 1)];
  const part: Tree = { kind: 'text', text };
  if (node?.kind === 'object') {
    const { entries } = node;
    const at = which % Math.max(entries.length, 1);
    if (how === 'add' || !entries[at]) entries.push([name, part]);
    else if (how === 'remove') entries.splice(at, 1);
    else entries[at] = [entries[at][0], part];
  } else if (node?.kind === 'array') {
    const at = which % Math.max(node.items.length, 1);
    if (how === 'add') node.items.push(part);
    else node.items.splice(at, 1, ...(how === 'replace' ? [part] : []));
  }
}

const damages: fc.Arbitrary<readonly Damage[]> = fc.array(
  fc.record({
    how: fc.constantFrom('add', 'replace', 'replace', 'remove'),
    where: fc.nat({ max: 20 }),
    which: fc.nat({ max: 20 }),
    name: fc.constantFrom(...NAMES),
    text: fc.oneof({ arbitrary: fc.constantFrom(...ODD), weight: 4 }, fc.json({ maxDepth: 2 })),
  }),
  { maxLength: 4 },
);

/** JSON text that was `good` before somebody had their hands on it. */
export const damaged = (good: unknown): fc.Arbitrary<string> =>
  damages.map((all) => {
    const tree = treeOf(good);
    for (const each of all) damage(tree, each);
    return write(tree);
  });

/** What a type check that trusts its types stumbles over. */
const TRAPS = ['{"toString":1,"valueOf":1}', 'null', '5', '{}', '"https://evil.example/"'];

/** `good` with one of its parts, each in turn, of another type: also as the only member of an array. */
export function withOnePartWrong(good: object): readonly string[] {
  const count = nodesOf(treeOf(good)).length;
  return Array.from({ length: count }, (_, index) => index).flatMap((index) =>
    [...TRAPS, 'wrapped'].map((trap) => {
      const tree = treeOf(good);
      const node = nodesOf(tree)[index]!;
      const text = trap === 'wrapped' ? `[${write(node)}]` : trap;
      for (const name of Object.keys(node))
        delete (node as unknown as Record<string, unknown>)[name];
      Object.assign(node, { kind: 'text', text });
      return write(tree);
    }),
  );
}

const status = fc.oneof(
  { arbitrary: fc.constant(200), weight: 6 },
  { arbitrary: fc.constantFrom(201, 204, 302, 400, 401, 403, 404, 429, 430, 500, 503), weight: 2 },
  { arbitrary: fc.integer({ min: 0, max: 999 }), weight: 1 },
);

const headerNames = fc.constantFrom(
  ...['retry-after', 'www-authenticate', 'content-length', 'content-encoding'],
  ...['x-rate-limit-reset', 'date', 'location'],
);
const headerValues = fc.oneof(
  fc.constantFrom('', '0', '1', '-1', '1e9', 'soon', 'Fri, 31 Dec 9999 23:59:59 GMT'),
  fc.constantFrom(
    'Bearer',
    'Bearer error="insufficient_scope", scope="a"',
    'https://evil.example/',
  ),
  fc.string(),
);
const headers = fc.dictionary(headerNames, headerValues, { maxKeys: 4, noNullPrototype: true });

/** Whatever a server, or whatever answers in its place, may send: mostly what is nearly `good`. */
export function anyAnswer(...good: readonly unknown[]): fc.Arbitrary<Answer> {
  const body: fc.Arbitrary<string | Uint8Array> = fc.oneof(
    ...good.map((each) => ({ arbitrary: damaged(each), weight: 8 })),
    fc.json(),
    fc.string(),
    fc.uint8Array({ maxLength: 40 }),
  );
  return fc.oneof(
    { arbitrary: fc.record({ status, headers, body }), weight: 20 },
    fc.constantFrom('no answer' as const, 'silence' as const),
  );
}
