import type { Answer, Call } from '../message.js';
import { problemsOf, variableProblem } from './graphql-check.js';
import {
  readDocument,
  valueOf,
  type Document,
  type Field,
  type Operation,
  type Selection,
  type Variables,
} from './graphql-read.js';
import { bare, isObjectType, isRefusal, ruleOf, type Viewer } from './schema.js';
import { refuseMalformed } from './token.js';

type Path = ReadonlyArray<string | number>;
type Json = Readonly<Record<string, unknown>>;

/** The query is not worked off: status 400 and no data. */
function refuseQuery(code: string, ...messages: readonly string[]): Answer {
  const errors = messages.map((message) => ({ message, extensions: { code } }));
  return { status: 400, json: { errors } };
}

/** Fragments spread, and fields that are asked for twice in one. Only for what was checked. */
function fieldsOf(selections: readonly Selection[], document: Document): Field[] {
  const found = new Map<string, Field>();
  for (const selection of selections) {
    const inner = selection.kind === 'spread' ? document.fragments.get(selection.name) : selection;
    const fields = inner?.kind === 'field' ? [inner] : fieldsOf(inner?.selections ?? [], document);
    for (const field of fields) {
      const before = found.get(field.alias)?.selections ?? [];
      found.set(field.alias, { ...field, selections: [...before, ...field.selections] });
    }
  }
  return [...found.values()];
}

/** A null that may not be one makes its parent null, up to `data`. */
function execute(operation: Operation, document: Document, variables: Variables, viewer: Viewer) {
  const errors: unknown[] = [];

  function complete(type: string, value: unknown, field: Field, path: Path): unknown {
    if (value === null || value === undefined) return null;
    if (type.endsWith('!')) return complete(type.slice(0, -1), value, field, path);
    if (type.startsWith('[')) {
      return (value as readonly unknown[]).map((item, index) =>
        complete(type.slice(1, -1), item, field, [...path, index]),
      );
    }
    return isObjectType(type) ? select(bare(type), value as Json, field.selections, path) : value;
  }

  function select(type: string, parent: Json, selections: readonly Selection[], path: Path) {
    const shown: Array<readonly [string, unknown]> = [];
    for (const field of fieldsOf(selections, document)) {
      const below = [...path, field.alias];
      const rule = ruleOf(type, field.name);
      if (!rule) {
        shown.push([field.alias, type]);
        continue;
      }
      const args = Object.fromEntries(
        field.args.map(([name, value]) => [name, valueOf(value, variables)]),
      );
      const found = rule.resolve ? rule.resolve(args, viewer) : parent[field.name];
      if (isRefusal(found)) errors.push({ ...found.refused, path: below });
      const value = isRefusal(found) ? null : complete(rule.type, found, field, below);
      if (value === null && rule.type.endsWith('!')) return null;
      shown.push([field.alias, value]);
    }
    return Object.fromEntries(shown);
  }

  const data = select(operation.type, {}, operation.selections, []);
  return { ...(errors.length > 0 && { errors }), data };
}

function readQuery(query: string): Document | string {
  try {
    return readDocument(query);
  } catch (error) {
    if (error instanceof SyntaxError) return error.message;
    throw error;
  }
}

/** `POST /graphql`. A query that cannot be read is 400; whatever a field says to it is 200. */
export function answerGraphql(call: Call, viewer: Viewer): Answer {
  const malformed = refuseMalformed(call);
  if (malformed) return malformed;
  if (call.json === undefined) {
    return refuseQuery(
      'BAD_REQUEST',
      'This operation has been blocked as a potential Cross-Site Request Forgery (CSRF).',
    );
  }
  const { query, variables: sent, operationName } = call.json as Json;
  if (typeof query !== 'string' || query === '') {
    return refuseQuery('BAD_REQUEST', 'GraphQL operations must contain a non-empty `query`.');
  }
  if (typeof (sent ?? {}) !== 'object') {
    return refuseQuery('BAD_REQUEST', '`variables` in a POST body should be an object.');
  }
  const document = readQuery(query);
  if (typeof document === 'string') return refuseQuery('GRAPHQL_PARSE_FAILED', document);

  const { operations } = document;
  const problems = operations.flatMap((each) => problemsOf(each, document));
  if (problems.length > 0) return refuseQuery('GRAPHQL_VALIDATION_FAILED', ...problems);
  const operation = operationName
    ? operations.find(({ name }) => name === operationName)
    : operations[0];
  if (!operation || (operations.length > 1 && !operationName)) {
    return refuseQuery('OPERATION_RESOLUTION_FAILURE', 'Which operation is meant is not clear.');
  }
  const given = (sent ?? {}) as Json;
  const problem = variableProblem(operation, given);
  if (problem !== undefined) return refuseQuery('BAD_USER_INPUT', problem);
  const variables = new Map(
    operation.variables.map(({ name, preset }) => [
      name,
      Object.hasOwn(given, name) ? given[name] : preset,
    ]),
  );
  return { status: 200, json: execute(operation, document, variables, viewer) };
}
