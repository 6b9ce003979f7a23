// What the one-file scripts ask of an engine beyond ES2018: as README.md says, and nothing further. A script that
// uses something newer stops in the engine of an older CAD program, and nobody sees why.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'acorn';
import ts from 'typescript';
import { root } from '../../.ci/process.mjs';
import { oneFiles } from './package-entries.mjs';

const read = (file) => readFileSync(join(root, file), 'utf8');
const isEngine = (file) => file.endsWith('engine.js');

/** Name → first Chrome (and Edge), Firefox and Safari that have it, by MDN's browser-compat-data of 2026. */
// prettier-ignore
const NEEDED = {
  globalThis:      [71, 65, 12.1],
  fromEntries:     [73, 63, 12.1],
  flat:            [69, 62, 12],
  flatMap:         [69, 62, 12],
  allSettled:      [76, 71, 13],
  AbortController: [66, 57, 11.1],
  getReader:       [43, 65, 10.1],
};

/** Of ES2018 itself, but later than its year in an engine: in patterns, the flag `s` and `\p{…}`. */
const PATTERNS = [64, 78, 11.1];

/** Used where they are, and done without where they are not. */
const TRIED = 'adoptedStyleSheets replaceSync locks BroadcastChannel';
/** Of an engine with ECMAScript 2021; and what its packages try for. */
const ENGINE = 'BigInt asIntN asUintN replaceAll';
const ENGINE_TRIED =
  'detached hasOwn fromBase64 toBase64 isWellFormed toWellFormed canParse encodeInto pipeTo pipeThrough';

/** Members of our own, and of things older than the one that came to be called the same. */
const OURS = new Set(
  'always any cause error errors metadata never overflow pause read reason status take unknown written'.split(
    ' ',
  ),
);

/** Names a script takes from its page; all others come with it. Old ones, but for those above. */
const PAGE = new Set(
  `BroadcastChannel HTMLElement TextDecoder TextEncoder URL URLSearchParams atob btoa clearInterval clearTimeout
  indexedDB performance setInterval setTimeout`.split(/\s+/),
);
const WEB_NAMES = new Set(
  'AbortController TextDecoder TextEncoder TransformStream URL URLSearchParams'.split(' '),
);

/** Members that pages have had only since Chrome 77, Firefox 72 or Safari 13.1: what a library may be tempted by. */
const LATE_IN_PAGES =
  /^(aria[A-Z]\w+|adoptedStyleSheets|attachInternals|canParse|checkVisibility|cookieStore|databases|encodeInto|enterKeyHint|getHTML|getSetCookie|inert|keepalive|locks|moveBefore|pipeThrough|pipeTo|popover\w*|randomUUID|replaceChildren|replaceSync|requestIdleCallback|requestSubmit|scheduling|setHTML\w*|showPicker|showPopover|startViewTransition|storageBuckets|throwIfAborted|userActivation|wakeLock)$/;

/** Whose own functions are told from members of the same name. */
const GLOBALS = /^(Array|Intl|Map|Object|Promise|RegExp|String|Symbol|AbortSignal|Response)$/;
const LATE_STATICS = new RegExp(`^(AbortSignal|Response)\\.|\\.(${[...OURS].join('|')})$`);

/** Names declared in the compiler's own descriptions of ECMAScript. */
function declaredIn(isWanted) {
  const folder = join(root, 'node_modules/typescript/lib');
  const found = new Set();
  for (const file of readdirSync(folder)) {
    const [, edition] = /^lib\.es(5|20\d\d|next)(\.[\w.]+)?\.d\.ts$/.exec(file) ?? [];
    if (!edition || !isWanted(edition === 'next' ? Infinity : Number(edition))) continue;
    const source = ts.createSourceFile(file, readFileSync(join(folder, file), 'utf8'), 99, true);
    const visit = (node) => {
      const isMember = ts.isPropertySignature(node) || ts.isMethodSignature(node);
      const isName =
        ts.isVariableDeclaration(node) ||
        ts.isFunctionDeclaration(node) ||
        ts.isModuleDeclaration(node);
      if ((isMember || isName) && node.name) found.add(node.name.text);
      ts.forEachChild(node, visit);
    };
    visit(source);
  }
  return found;
}
const upTo2018 = declaredIn((edition) => edition <= 2018);
const later = new Set(
  [...declaredIn((edition) => edition > 2018)].filter((name) => !upTo2018.has(name)),
);

/** What a script takes from its surroundings: free names, members by name, and `Object.name` in full. */
function namesIn(code) {
  const [declared, used, members, statics] = [new Set(), new Set(), new Set(), new Set()];
  const declare = (node) => {
    if (node?.type === 'Identifier') declared.add(node.name);
    else if (node?.type === 'ObjectPattern')
      node.properties.forEach((each) => declare(each.value ?? each.argument));
    else if (node?.type === 'ArrayPattern') node.elements.forEach(declare);
    else if (node) declare(node.left ?? node.argument);
  };
  const isKey = (parent, key) =>
    !parent.computed &&
    ((parent.type === 'MemberExpression' && key === 'property') ||
      (/^(Property|MethodDefinition)$/.test(parent.type) && key === 'key'));
  const visit = (node, parent, key) => {
    const { type } = node;
    if (type === 'VariableDeclarator' || type === 'ClassDeclaration') declare(node.id);
    if (/Function/.test(type)) [node.id, ...node.params].forEach(declare);
    if (type === 'CatchClause') declare(node.param);
    if (type === 'MemberExpression' && !node.computed) {
      members.add(node.property.name);
      if (GLOBALS.test(node.object.name)) statics.add(`${node.object.name}.${node.property.name}`);
    }
    if (type === 'Property' && parent.type === 'ObjectPattern' && !node.computed) {
      members.add(String(node.key.name ?? node.key.value));
    }
    if (type === 'Identifier' && !isKey(parent, key) && !/Label|Break|Continue/.test(parent.type)) {
      // `new.target` is two words and no name.
      if (parent.type !== 'MetaProperty') used.add(node.name);
    }
    for (const [name, value] of Object.entries(node)) {
      for (const child of Array.isArray(value) ? value : [value]) {
        if (child && typeof child.type === 'string') visit(child, node, name);
      }
    }
  };
  visit(parse(code, { ecmaVersion: 2018 }), { type: '' }, '');
  const free = [...used].filter((name) => !declared.has(name));
  return { free, members: [...members], statics: [...statics] };
}

/** All that is newer than ES2018, or that pages have had for a short time only. */
function newIn(code) {
  const { free, members, statics } = namesIn(code);
  const isNew = (name) => (later.has(name) || LATE_IN_PAGES.test(name)) && !OURS.has(name);
  return [
    ...new Set([
      ...free.filter((name) => later.has(name)),
      ...members.filter(isNew),
      ...statics.filter((name) => LATE_STATICS.test(name)),
    ]),
  ];
}

const words = (text) => text.split(/\s+/);

test('what is newer would be noticed', () => {
  const code = `
    const own = { any: 1 }, { hasOwn } = Object;
    own.any, [1].at(0), 'a'.replaceAll('a', 'b'), Promise.any([]), AbortSignal.timeout(1);
    document.body.replaceChildren(), crypto.randomUUID(), structuredClone(own), new WeakRef(own);`;
  const found = [
    'hasOwn',
    'at',
    'replaceAll',
    'Promise.any',
    'AbortSignal.timeout',
    'replaceChildren',
    'randomUUID',
    'WeakRef',
  ];
  assert.deepEqual(newIn(code).sort(), found.sort());
  assert.deepEqual(
    namesIn(code).free.sort(),
    words('AbortSignal Object Promise WeakRef crypto document structuredClone'),
  );
});

for (const file of oneFiles) {
  const allowed = new Set([
    ...Object.keys(NEEDED),
    ...words(TRIED),
    ...(isEngine(file) ? [...words(ENGINE), ...words(ENGINE_TRIED)] : []),
  ]);

  test(`${file} uses nothing newer than README.md says`, () => {
    assert.deepEqual(
      newIn(read(file)).filter((name) => !allowed.has(name)),
      [],
    );
  });

  test(`${file} takes no other name from its surroundings`, () => {
    const known = isEngine(file) ? WEB_NAMES : PAGE;
    const others = namesIn(read(file)).free.filter(
      (name) => !upTo2018.has(name) && !allowed.has(name) && !known.has(name),
    );
    assert.deepEqual(others, []);
  });
}

test('what is said to be needed is in use', () => {
  const used = new Set(oneFiles.flatMap((file) => Object.values(namesIn(read(file))).flat()));
  assert.deepEqual(
    Object.keys(NEEDED).filter((name) => !used.has(name)),
    [],
  );
});

for (const guide of ['README.md', 'adapters/browser/README.md']) {
  test(`${guide} names the first engines that have all of it`, () => {
    const columns = [PATTERNS, ...Object.values(NEEDED)];
    const [chrome, firefox, safari] = PATTERNS.map((_, at) =>
      Math.max(...columns.map((row) => row[at])),
    );
    assert.ok(
      read(guide).includes(`Chrome and Edge ${chrome}, Firefox ${firefox}, Safari ${safari}`),
    );
  });
}
