import type { Place } from './switches.js';
import type { GrantPolicy } from '../grants.js';
import type { Answer, Call } from '../message.js';

/** One misbehaviour of a server. Has one of the three effects. */
export interface Fault {
  /** What the server does, for a reader who has to switch it on. */
  readonly does: string;
  /** Where it bites, unless the switch names a narrower place behind `@`. */
  readonly at: Place;
  /** Over after its first use, or after three. */
  readonly times?: 'once' | 'thrice';
  /** Answers in the platform's place, which never sees the request. */
  readonly instead?: (call: Call) => Answer | Promise<Answer>;
  /** Spoils an answer that went well, or one that did not; the platform has done its work. */
  readonly bends?: 'refusals';
  readonly bend?: (answer: Answer, call: Call) => Answer;
  /** Changes the work itself. */
  readonly policy?: GrantPolicy;
}

export type Faulty = Readonly<Record<string, Fault>>;

type Json = Readonly<Record<string, unknown>>;

export function bendJson(change: (json: Json, call: Call) => unknown): Required<Fault>['bend'] {
  return (answer, call) => ({ ...answer, json: change(answer.json as Json, call) });
}

export function bendText(change: (text: string) => Partial<Answer>): Required<Fault>['bend'] {
  return ({ status, json }) => ({
    status,
    headers: { 'content-type': 'application/json' },
    ...change(JSON.stringify(json)),
  });
}

export function bendLocation(
  change: (location: string, call: Call) => string,
): Required<Fault>['bend'] {
  return (answer, call) => {
    const location = change(answer.headers?.['location'] ?? '', call);
    return { ...answer, headers: { ...answer.headers, location } };
  };
}

/** The address without a query parameter. */
export function without(location: string, name: string): string {
  const [base = '', query = ''] = location.split('?');
  const kept = query.split('&').filter((pair) => !pair.startsWith(`${name}=`));
  return `${base}?${kept.join('&')}`;
}

/** The address with a query parameter, instead of any that was there. */
export function withParameter(location: string, name: string, value: string): string {
  return `${without(location, name)}&${name}=${encodeURIComponent(value)}`;
}

/** The same object without a member. */
export function omit(json: Json, ...names: readonly string[]): Json {
  return Object.fromEntries(Object.entries(json).filter(([name]) => !names.includes(name)));
}

/** Never answers: rejects when the client gives up. */
export function hang({ signal }: { readonly signal?: AbortSignal }): Promise<Answer> {
  return new Promise((_, reject) => {
    const stop = () => reject(new Error('The request was aborted.'));
    if (signal?.aborted) stop();
    else signal?.addEventListener('abort', stop, { once: true });
  });
}

export function reset(): never {
  throw new Error('The connection was reset.');
}

export const HTML = {
  headers: { 'content-type': 'text/html; charset=utf-8' },
  text: '<!doctype html><title>SANDBOX</title><h1>A proxy answers here</h1>',
};
