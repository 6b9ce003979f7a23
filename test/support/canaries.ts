import { Console } from 'node:console';
import { randomBytes } from 'node:crypto';
import { Writable } from 'node:stream';
import { inspect } from 'node:util';

/** Printable and awkward: each of the ways a secret is written down makes something else of it. */
export const newSecret = (name: string) => `${name}+/~=${randomBytes(12).toString('base64')}&%`;

/** The ways in which what was received is written down again. */
// prettier-ignore
export const SPELLINGS: Readonly<Record<string, (secret: string) => string>> = {
  'as it is':        (secret) => secret,
  'URL-encoded':     (secret) => encodeURIComponent(secret),
  'form-encoded':    (secret) => new URLSearchParams({ '': secret }).toString().slice(1),
  'encoded twice':   (secret) => encodeURIComponent(encodeURIComponent(secret)),
  'in base64':       (secret) => Buffer.from(secret).toString('base64'),
  'in base64url':    (secret) => Buffer.from(secret).toString('base64url'),
  'in Basic base64': (secret) => Buffer.from(`plug-in:${secret}`).toString('base64'),
  'in Basic, encoded before': (secret) => Buffer.from(`plug-in:${encodeURIComponent(secret)}`).toString('base64'),
};

/** What to search for: every spelling, base64 at each of its three alignments without the edges that depend on neighbours. */
export function tracesOf(secret: string): string[] {
  const traces = new Set<string>();
  // Most are spelled alike in all three ways.
  const spelled = PLAIN.test(secret)
    ? [secret]
    : [secret, encodeURIComponent(secret), SPELLINGS['form-encoded']?.(secret) ?? ''];
  for (const text of new Set(spelled)) {
    traces.add(text);
    if (spelled.length > 1) traces.add(encodeURIComponent(text));
    if (spelled.length > 1) traces.add(JSON.stringify(text).slice(1, -1));
    for (const skip of [0, 1, 2]) {
      const base64 = Buffer.from('\0'.repeat(skip) + text).toString('base64');
      const whole = base64.slice(skip === 0 ? 0 : 4, -4);
      traces.add(whole).add(whole.replaceAll('+', '-').replaceAll('/', '_'));
    }
  }
  return [...traces];
}

/** What no encoding changes. */
const PLAIN = /^[\w.-]*$/;

/** Everything a curious program, log or crash reporter would make of a value. */
function printsOf(value: unknown): string[] {
  const prints: string[] = [];
  const print = (make: () => unknown) => {
    try {
      prints.push(String(make()));
    } catch (error) {
      prints.push(String(error));
    }
  };
  print(() => inspect(value, { depth: Infinity, showHidden: true }));
  print(() => inspect(value, { depth: Infinity, showHidden: true, getters: true }));
  print(() => JSON.stringify(value));
  print(() => value);
  print(() => inspect({ ...Object(value) }, { depth: Infinity }));
  print(() => inspect(structuredClone(value), { depth: Infinity, showHidden: true }));
  print(() => inspect(Object.getOwnPropertyDescriptors(Object(value)), { depth: Infinity }));
  const stdout = new Writable({
    write(chunk, _, done) {
      prints.push(String(chunk));
      done();
    },
  });
  new Console({ stdout }).table(value);
  new Console({ stdout }).dir(value, { depth: Infinity });
  print(() => walk(value));
  return prints;
}

/** Every text that can be reached by own properties, hidden ones and symbols too, and by getters. */
function walk(root: unknown): string {
  const seen = new Set<unknown>();
  const texts: string[] = [];
  const queue: unknown[] = [root];
  while (queue.length > 0) {
    const value = queue.pop();
    if (typeof value !== 'object' && typeof value !== 'function') texts.push(String(value));
    if (Object(value) !== value || seen.has(value)) continue;
    seen.add(value);
    if (typeof value === 'function') texts.push(Function.prototype.toString.call(value));
    for (const name of Reflect.ownKeys(value as object)) {
      texts.push(String(name));
      if (!/^(caller|callee|arguments)$/.test(String(name))) {
        queue.push((value as Record<PropertyKey, unknown>)[name]);
      }
    }
    if (value instanceof Map || value instanceof Set) queue.push([...value]);
  }
  return texts.join('\n');
}

/** The secrets that can be read off the exhibits, by name, with what is around them. */
export function leaks(
  exhibits: unknown,
  secrets: ReadonlyMap<string, ReadonlySet<string>>,
): string[] {
  const everything = printsOf(exhibits).join('\n');
  const found: string[] = [];
  for (const [name, values] of secrets) {
    for (const secret of values) {
      const trace = tracesOf(secret).find((text) => everything.includes(text));
      if (trace !== undefined) found.push(`${name}: ${around(everything, trace)}`);
    }
  }
  return found;
}

const around = (text: string, trace: string): string =>
  text.slice(Math.max(text.indexOf(trace) - 80, 0), text.indexOf(trace) + trace.length + 20);
