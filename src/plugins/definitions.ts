import { MortiseError, isMortiseError, type ConfigurationProblem } from '../errors.js';
import type { Provider } from '../oauth/provider.js';
import type { Assignment, Integration } from './plugin.js';

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

export interface DefinitionOptions {
  /** The factories a file may name: only those are bundled. */
  readonly providers?: Readonly<Record<string, ProviderFactory>>;
  /** Finds a secret by its name, such as that of an environment variable. */
  readonly secret?: (name: string) => string | undefined;
}

// Each factory checks what it is given; no more is known here of what each wants.
export type ProviderFactory = (options: never) => Provider;

type Report = (path: string, problem: string, remedy: string) => void;

/** @throws {MortiseError} `configuration_error` with every problem there is. */
export function readDefinitions(
  definitions: unknown,
  options: DefinitionOptions,
): readonly Integration[] {
  const problems: ConfigurationProblem[] = [];
  const report: Report = (path, problem, remedy) => problems.push({ path, problem, remedy });
  const list: unknown = Array.isArray(definitions)
    ? definitions
    : (Object(definitions) as { integrations?: unknown }).integrations;
  const found: Integration[] = [];
  if (Array.isArray(list)) {
    list.forEach((entry: unknown, index) => {
      const read = readIntegration(entry, `integrations[${index}]`, options, report);
      if (!read) return;
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

const isProvider = (value: unknown): value is Provider =>
  typeof value === 'object' && value !== null && 'dialect' in value && 'api' in value;

function onlyKnown(
  rest: Readonly<Record<string, unknown>>,
  known: readonly string[],
  path: string,
  report: Report,
): boolean {
  const strange = Object.keys(rest).filter((key) => !known.includes(key));
  for (const key of strange) {
    report(`${path}.${key}`, 'is not known', 'Check its spelling, or take it out.');
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
    const isList = scopes === undefined || (Array.isArray(scopes) && scopes.every(isName));
    if (!isList) report(`${at}.scopes`, 'is no list of scopes', 'List scopes, or take it out.');
    return !onlyKnown(rest, [], at, report) || !isList || isTwice;
  });
  return wrong.length === 0;
}

function readProvider(
  name: unknown,
  given: unknown,
  path: string,
  { providers = {}, secret }: DefinitionOptions,
  report: Report,
): Provider | undefined {
  const known = Object.keys(providers);
  const factory = known.includes(String(name)) ? providers[String(name)] : undefined;
  if (!factory) {
    const choice = known.length > 0 ? `Write one of: ${known.join(', ')}.` : 'Pass providers.';
    report(`${path}.provider`, 'is no provider this program knows', choice);
    return undefined;
  }
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    report(`${path}.options`, 'is missing', `Write what ${String(name)} takes, such as clientId.`);
    return undefined;
  }
  const options = findSecrets(given, `${path}.options`, secret, report);
  if (!options) return undefined;
  try {
    return (factory as (options: object) => Provider)(options);
  } catch (error) {
    const problem =
      isMortiseError(error) && error.code === 'configuration_error'
        ? error.details.problem
        : 'cannot be used';
    // Most problems begin with the option they are about.
    const option = /^(?!(?:an?|it|the|there) )[a-z]\w*(?= (?:is|are|must|has|have) )/.exec(
      problem,
    )?.[0];
    const place = option ? `.options.${option}` : '.options';
    const rest = option ? problem.slice(option.length).trim() : problem;
    report(path + place, rest, `See what ${String(name)} takes.`);
    return undefined;
  }
}

/** Options with the secrets that are named in them. */
function findSecrets(
  options: object,
  path: string,
  secret: DefinitionOptions['secret'],
  report: Report,
): object | undefined {
  let isWhole = true;
  const entries = Object.entries(options).map(([key, value]: [string, unknown]) => {
    const { secret: name, ...rest } = Object(value) as Record<string, unknown>;
    const isReference =
      typeof value === 'object' && typeof name === 'string' && Object.keys(rest).length === 0;
    if (!isReference) return [key, value] as const;
    const found = secret?.(name);
    if (typeof found === 'string' && found !== '') return [key, found] as const;
    report(`${path}.${key}`, `names the secret ${name}, which is not there`, 'Set that secret.');
    isWhole = false;
    return [key, undefined] as const;
  });
  return isWhole ? Object.fromEntries(entries) : undefined;
}
