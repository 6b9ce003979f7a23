import { MortiseError, isMortiseError, type ConfigurationProblem } from '../errors.js';
import type { Provider } from '../oauth/provider.js';
import type { Assignment, Integration } from './plugin.js';
import { readProvider, type DefinitionOptions, type Report } from './provider-definitions.js';

/**
 * Integrations made in code, or the content of a file (`integrations.schema.json` is its JSON Schema): its list,
 * or the whole of it.
 */
export type Definitions =
  | readonly (Integration | IntegrationDefinition)[]
  | { readonly integrations: readonly IntegrationDefinition[] };

/** An integration as an administrator writes it. */
export interface IntegrationDefinition {
  readonly name: string;
  /** A key of `providers`, such as `aps`. */
  readonly provider: string;
  /** What that provider takes. A value `{ "secret": "NAME" }` is looked up, so that the file holds none. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly plugins: readonly Assignment[];
}

/** @throws {MortiseError} `configuration_error` with every problem there is. */
export function readDefinitions(
  definitions: unknown,
  options: DefinitionOptions,
  tryOut: (integration: Integration) => void,
): readonly Integration[] {
  const problems: ConfigurationProblem[] = [];
  const report: Report = (path, problem, remedy) => problems.push({ path, problem, remedy });
  const list: unknown = Array.isArray(definitions)
    ? definitions
    : (Object(definitions) as { integrations?: unknown }).integrations;
  const found: Integration[] = [];
  if (list !== definitions) {
    const {
      integrations: _,
      $schema: __,
      ...rest
    } = Object(definitions) as Record<string, unknown>;
    onlyKnown(rest, [], '', report);
  }
  if (Array.isArray(list)) {
    list.forEach((entry: unknown, index) => {
      const read = readIntegration(entry, `integrations[${index}]`, options, report);
      if (!read) return;
      tried(read, `integrations[${index}]`, tryOut, report);
      if (found.some(({ name }) => name === read.name)) {
        const remedy = 'Give each integration a name of its own.';
        report(`integrations[${index}].name`, `${read.name} is used twice`, remedy);
      }
      found.push(read);
    });
  } else
    report('integrations', 'is not a list', 'Write a list of integrations in square brackets.');
  const [first] = problems;
  if (!first) return found;
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : '';
  const problem = `${first.path} ${first.problem}${more}`;
  throw new MortiseError('configuration_error', { problem, problems }, { hint: first.remedy });
}

/** What only shows when it is put to use: a secret where none can be kept, scopes nobody can have. */
function tried(
  integration: Integration,
  path: string,
  tryOut: (integration: Integration) => void,
  report: Report,
): void {
  const { name, provider, plugins } = integration;
  const attempt = (part: readonly Assignment[], at: string) => {
    try {
      tryOut({ name, provider, plugins: part });
      return true;
    } catch (error) {
      const { problem } = isMortiseError(error) ? (error.details as { problem?: string }) : {};
      report(
        at,
        `cannot be used: ${problem ?? 'the provider failed'}`,
        'Change it, or take it out.',
      );
      return false;
    }
  };
  if (!attempt([], path)) return;
  plugins.forEach((plugin, index) => attempt([plugin], `${path}.plugins[${index}]`));
}

/** A text of 1 to 100 characters, not blank at its ends. */
export const isName = (value: unknown): value is string =>
  typeof value === 'string' && /^\S(.{0,98}\S)?$/.test(value);

function readIntegration(
  entry: unknown,
  path: string,
  options: DefinitionOptions,
  report: Report,
): Integration | undefined {
  const { name, provider, plugins, ...rest } = Object(entry) as Record<string, unknown>;
  const isGood = [
    isName(name) || report(`${path}.name`, 'is no name', 'Write a text of 1 to 100 characters.'),
    readAssignments(plugins, `${path}.plugins`, report),
    onlyKnown(rest, typeof provider === 'string' ? ['options'] : [], path, report),
  ].every((each) => each === true);
  const made = isProvider(provider)
    ? provider
    : readProvider(provider, rest['options'], path, options, report);
  return isGood && made
    ? { name: name as string, provider: made, plugins: plugins as readonly Assignment[] }
    : undefined;
}

/** Nothing that a file can hold is one: it has functions. */
const isProvider = (value: unknown): value is Provider =>
  typeof Object(value).api === 'function' && typeof Object(value).dialect === 'object';

function onlyKnown(
  rest: Readonly<Record<string, unknown>>,
  known: readonly string[],
  path: string,
  report: Report,
): boolean {
  const strange = Object.keys(rest).filter((key) => !known.includes(key));
  for (const key of strange) {
    report(path ? `${path}.${key}` : key, 'is not known', 'Check its spelling, or take it out.');
  }
  return strange.length === 0;
}

function readAssignments(plugins: unknown, path: string, report: Report): boolean {
  if (!Array.isArray(plugins)) {
    report(path, 'is not a list', 'List the names of the plug-ins that may use it.');
    return false;
  }
  const seen = new Set<string>();
  const wrong = plugins.filter((plugin: unknown, index) => {
    const at = `${path}[${index}]`;
    const { name, scopes, ...rest } = Object(plugin) as Record<string, unknown>;
    const called = typeof plugin === 'string' ? plugin : name;
    if (!isName(called)) {
      report(at, 'names no plug-in', 'Write its name, or { "name": …, "scopes": […] }.');
      return true;
    }
    if (seen.has(called)) report(at, `${called} is listed twice`, 'Take one of them out.');
    const isTwice = seen.has(called);
    seen.add(called);
    if (typeof plugin === 'string') return isTwice;
    const isList =
      scopes === undefined || (Array.isArray(scopes) && scopes.length > 0 && scopes.every(isName));
    if (!isList) report(`${at}.scopes`, 'is no list of scopes', 'List scopes, or take it out.');
    return !onlyKnown(rest, [], at, report) || !isList || isTwice;
  });
  return wrong.length === 0;
}
