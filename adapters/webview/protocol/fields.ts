/** An object as it came over the bridge. Read it with the functions here alone: they never look at a prototype. */
export type Fields = Readonly<Record<string, unknown>>;

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export const own = (fields: Fields, name: string): unknown =>
  Object.prototype.hasOwnProperty.call(fields, name) ? fields[name] : undefined;

export const fieldsOf = (fields: Fields, name: string): Fields | undefined => {
  const value = own(fields, name);
  return isFields(value) ? value : undefined;
};

/** Half of a surrogate pair is no text: UTF-8 cannot say it. */
const isText = (value: unknown): value is string =>
  typeof value === 'string' && !/\p{Surrogate}/u.test(value);

/** `undefined` when it is no text, or longer than `max` characters. */
export const textOf = (fields: Fields, name: string, max = 1_024): string | undefined => {
  const value = own(fields, name);
  return isText(value) && value.length <= max ? value : undefined;
};

export const numberOf = (fields: Fields, name: string): number | undefined => {
  const value = own(fields, name);
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
};

export const oneOf = <T extends string>(
  fields: Fields,
  name: string,
  words: readonly T[],
): T | undefined => words.find((word) => word === own(fields, name));

/** Texts of a list, or `undefined` when it is none, too long, or holds anything else. */
export const textsOf = (fields: Fields, name: string, max = 256): readonly string[] | undefined => {
  const value = own(fields, name);
  const isList = Array.isArray(value) && value.length <= max;
  return isList && value.every((each) => isText(each) && each.length <= 2_048)
    ? (value as string[])
    : undefined;
};

/** Names and texts, such as headers. `undefined` when anything else is among them. */
export function textMapOf(fields: Fields, name: string): ReadonlyMap<string, string> | undefined {
  const entries = Object.entries(fieldsOf(fields, name) ?? {});
  return entries.length <= 256 && entries.every((entry) => entry.every(isText))
    ? new Map(entries as [string, string][])
    : undefined;
}
