import { isMortiseError } from '../errors.js';
import type { Provider } from '../oauth/provider.js';

export interface DefinitionOptions {
  /** The factories a file may name: only those are bundled. */
  readonly providers?: Readonly<Record<string, ProviderFactory>>;
  /** Finds a secret by its name, such as that of an environment variable. */
  readonly secret?: (name: string) => string | undefined;
}

// Each factory checks what it is given; no more is known here of what each wants.
export type ProviderFactory = (options: never) => Provider;

/** Takes what is wrong, where, and what to do about it. */
export type Report = (path: string, problem: string, remedy: string) => void;

/** Makes the provider that a definition names, or says why not. */
export function readProvider(
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
    const found = ask(secret, name);
    if (typeof found === 'string' && found !== '') return [key, found] as const;
    report(`${path}.${key}`, `names the secret ${name}, which is not there`, 'Set that secret.');
    isWhole = false;
    return [key, undefined] as const;
  });
  return isWhole ? Object.fromEntries(entries) : undefined;
}

/** Somebody else's function: one that throws has not found it, and its error may quote what it knows. */
function ask(secret: DefinitionOptions['secret'], name: string): string | undefined {
  try {
    return secret?.(name);
  } catch {
    return undefined;
  }
}
