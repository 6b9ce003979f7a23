import {
  NONE,
  valueOf,
  type Document,
  type Field,
  type Operation,
  type Selection,
  type Value,
  type VariableRule,
} from './graphql-read.js';
import { bare, isObjectType, ruleOf } from './schema.js';

const SCALARS: Readonly<Record<string, (value: unknown) => boolean>> = {
  Int: Number.isInteger,
  Float: Number.isFinite,
  Boolean: (value) => typeof value === 'boolean',
  String: (value) => typeof value === 'string',
  ID: (value) => typeof value === 'string' || Number.isInteger(value),
  // The real one takes more. What would be ignored here is refused.
  UserProjectsFilter: (value) =>
    Object.entries(Object(value)).every(
      ([key, each]) => key === 'search' && (each === null || typeof each === 'string'),
    ),
};

/** Why a value cannot be of a type. */
function misfit(type: string, value: unknown): string | undefined {
  if (type.endsWith('!')) {
    return value === null || value === undefined
      ? `Expected a value of type "${type}".`
      : misfit(type.slice(0, -1), value);
  }
  if (value === null || value === undefined) return undefined;
  if (type.startsWith('[')) {
    const items = Array.isArray(value) ? value : [value];
    return items.map((item) => misfit(type.slice(1, -1), item)).find((each) => each !== undefined);
  }
  return SCALARS[type]?.(value) === false
    ? `${type} cannot represent the value ${JSON.stringify(value)}.`
    : undefined;
}

/** Why the variables that were sent do not serve an operation; the first reason. */
export function variableProblem(
  { variables: rules }: Operation,
  sent: Readonly<Record<string, unknown>>,
): string | undefined {
  return rules
    .map(({ name, type, preset }) => {
      const value = Object.hasOwn(sent, name) ? sent[name] : preset;
      if (value === undefined && type.endsWith('!')) {
        return `Variable "$${name}" of required type "${type}" was not provided.`;
      }
      const problem = misfit(type, value);
      return problem && `Variable "$${name}" got invalid value; ${problem}`;
    })
    .find((problem) => problem !== undefined);
}

/** A variable that may be null does not go where null may not. */
function fitsInto({ type, preset }: VariableRule, place: string): boolean {
  const isStrict = type.endsWith('!') || preset !== undefined || !place.endsWith('!');
  return isStrict && bare(type) === bare(place);
}

/** What is wrong with an operation before anybody is asked for data. */
export function problemsOf(operation: Operation, { fragments }: Document): string[] {
  function ofVariable(name: string, type: string): string[] {
    const rule = operation.variables.find((each) => each.name === name);
    if (!rule) return [`Variable "$${name}" is not defined.`];
    return fitsInto(rule, type)
      ? []
      : [`Variable "$${name}" of type "${rule.type}" used in position expecting type "${type}".`];
  }

  function ofValue(value: Value, type: string): string[] {
    if (value.kind === 'variable') return ofVariable(value.name, type);
    const problem = misfit(type, valueOf(value, NONE));
    return problem === undefined ? [] : [problem];
  }

  function ofField(parent: string, { name, args, selections }: Field, open: string[]): string[] {
    if (name === '__typename') return [];
    const rule = ruleOf(parent, name);
    if (!rule) return [`Cannot query field "${name}" on type "${parent}".`];
    const wanted = Object.entries(rule.args ?? {});
    const isObject = isObjectType(rule.type);
    return [
      ...args.flatMap(([arg, value]) => {
        const type = wanted.find(([each]) => each === arg)?.[1];
        return type === undefined
          ? [`Unknown argument "${arg}" on field "${parent}.${name}".`]
          : ofValue(value, type);
      }),
      ...wanted
        .filter(([arg, type]) => type.endsWith('!') && !args.some(([each]) => each === arg))
        .map(([arg, type]) => `Field "${name}" argument "${arg}" of type "${type}" is required.`),
      ...(isObject === selections.length > 0
        ? []
        : [
            isObject
              ? `Field "${name}" of type "${rule.type}" must have a selection of subfields.`
              : `Field "${name}" must not have a selection: "${rule.type}" has no subfields.`,
          ]),
      ...(isObject ? ofSelections(bare(rule.type), selections, open) : []),
    ];
  }

  function ofSelections(type: string, selections: readonly Selection[], open: string[]): string[] {
    return selections.flatMap((selection) => {
      if (selection.kind === 'field') return ofField(type, selection, open);
      const name = selection.kind === 'spread' ? selection.name : '';
      const fragment = selection.kind === 'spread' ? fragments.get(name) : selection;
      if (!fragment) return [`Unknown fragment "${name}".`];
      if (open.includes(name)) return [`Cannot spread fragment "${name}" within itself.`];
      if (fragment.on !== undefined && fragment.on !== type) {
        return [`A fragment on "${fragment.on}" cannot be spread on type "${type}".`];
      }
      return ofSelections(type, fragment.selections, name ? [...open, name] : open);
    });
  }

  return ofSelections(operation.type, operation.selections, []);
}
