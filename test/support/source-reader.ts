import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { posix, resolve } from 'node:path';
import ts from 'typescript';

export const root = resolve(__dirname, '../..');

/** Every file that is in the repository, or would be if it were added; slashes as in git. */
export function repositoryFiles(): string[] {
  const args = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
  const listed = execFileSync('git', args, { cwd: root, encoding: 'utf8' }).split('\0');
  const isFile = (path: string) =>
    statSync(resolve(root, path), { throwIfNoEntry: false })?.isFile();
  return [...new Set(listed)].filter((path) => path && isFile(path)).sort();
}

export function readText(path: string): string {
  return readFileSync(resolve(root, path), 'utf8');
}

export interface Import {
  /** A path in the repository, or the name of a package as written. */
  readonly to: string;
  readonly kind: 'value' | 'type';
}

/** Parses TypeScript, JavaScript, or the scripts of an HTML page. */
export function parse(path: string, text: string): ts.SourceFile {
  const code = /\.html$/.test(path)
    ? [...text.matchAll(/<script[^>]*>(.*?)<\/script>/gs)].map(([, script]) => script).join('\n')
    : text;
  return ts.createSourceFile(path, code, ts.ScriptTarget.Latest, true);
}

export function visit(node: ts.Node, see: (node: ts.Node) => void): void {
  see(node);
  node.forEachChild((child) => visit(child, see));
}

/** Everything a file imports: statically, dynamically, by `require`, or in a type. */
export function readImports(path: string, text: string): Import[] {
  const found: Import[] = [];
  const add = (specifier: ts.Node | undefined, isType: boolean) => {
    const written =
      specifier && ts.isStringLiteralLike(specifier) ? specifier.text : '(not a literal)';
    const to = /^\.{1,2}\//.test(written)
      ? posix.join(posix.dirname(path), written).replace(/\.js$/, '.ts')
      : written;
    found.push({ to, kind: isType ? 'type' : 'value' });
  };
  visit(parse(path, text), (node) => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, isTypeImport(node.importClause));
    if (ts.isExportDeclaration(node) && node.moduleSpecifier) {
      const names = node.exportClause;
      const onlyTypes =
        !!names && ts.isNamedExports(names) && names.elements.every(({ isTypeOnly }) => isTypeOnly);
      add(node.moduleSpecifier, node.isTypeOnly || onlyTypes);
    }
    if (ts.isImportTypeNode(node)) {
      add(ts.isLiteralTypeNode(node.argument) ? node.argument.literal : undefined, true);
    }
    if (ts.isCallExpression(node)) {
      const { expression } = node;
      const isImport = expression.kind === ts.SyntaxKind.ImportKeyword;
      const isRequire = ts.isIdentifier(expression) && expression.text === 'require';
      if (isImport || isRequire) add(node.arguments[0], false);
    }
  });
  return found;
}

function isTypeImport(clause: ts.ImportClause | undefined): boolean {
  if (!clause) return false;
  if (clause.isTypeOnly) return true;
  const names = clause.namedBindings;
  return (
    !clause.name &&
    !!names &&
    ts.isNamedImports(names) &&
    names.elements.length > 0 &&
    names.elements.every(({ isTypeOnly }) => isTypeOnly)
  );
}
