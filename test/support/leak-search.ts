import { tracesOf } from './canaries.js';

/** How a secret can be searched for. */
export type Likeness =
  /** Long and random: where even a part of it is, that is a leak. */
  | 'random'
  /** A made-up name: a leak where it stands by itself, or encoded. */
  | 'made up'
  /** Not at all: it would be found everywhere. */
  | 'too short';

/** Shorter parts of a random secret might be anything. */
const PART = 16;
/** No made-up name may be shorter, to be searched for. */
export const SHORTEST = 8;

/** A word, a number, or what marks a secret: made up by a person. */
const MADE_UP = /^([A-Za-z]?[a-z]*|[A-Z]+|\d{1,4}|sEcReT)$/;

export function likenessOf(secret: string): Likeness {
  if (secret.length < SHORTEST || !secret.isWellFormed()) return 'too short';
  const random = secret.split(/[^A-Za-z0-9]+/).filter((part) => !MADE_UP.test(part));
  return secret.length >= PART && random.join('').length >= SHORTEST ? 'random' : 'made up';
}

interface Wanted {
  readonly secret: string;
  readonly text: string;
  /** Not inside of a longer word. */
  readonly isWhole: boolean;
}

const { imul } = Math;
const BASE = 1_000_003;
const WORD = /[\w-]/;

/** Rabin and Karp: each part of a text is looked up by a number that is carried on from letter to letter. */
class Finder {
  readonly #length: number;
  readonly #wanted = new Map<number, Wanted[]>();
  readonly #first: number;

  /** @param length How many letters of each wanted text are looked up. */
  constructor(length: number) {
    this.#length = length;
    let first = 1;
    for (let at = 1; at < length; at += 1) first = imul(first, BASE);
    this.#first = first;
  }

  add(wanted: Wanted): void {
    let hash = 0;
    for (let at = 0; at < this.#length; at += 1) {
      hash = (imul(hash, BASE) + wanted.text.charCodeAt(at)) | 0;
    }
    const same = this.#wanted.get(hash);
    if (same) same.push(wanted);
    else this.#wanted.set(hash, [wanted]);
  }

  find(text: string, found: Set<string>): void {
    const wanted = this.#wanted;
    if (wanted.size === 0) return;
    const length = this.#length;
    const first = this.#first;
    let hash = 0;
    for (let at = 0; at < text.length; at += 1) {
      if (at >= length) hash -= imul(first, text.charCodeAt(at - length));
      hash = (imul(hash, BASE) + text.charCodeAt(at)) | 0;
      if (at < length - 1) continue;
      const here = wanted.get(hash);
      if (!here) continue;
      for (const one of here) if (isAt(one, text, at - length + 1)) found.add(one.secret);
    }
  }
}

const isAt = (wanted: Wanted, text: string, start: number): boolean =>
  text.startsWith(wanted.text, start) &&
  !(wanted.isWhole && WORD.test(text[start - 1] ?? ' ')) &&
  !(wanted.isWhole && WORD.test(text[start + wanted.text.length] ?? ' '));

/** Looks for many secrets in a text, in whatever spelling, in one pass. */
export function createSearch(secrets: Iterable<string>): (text: string) => ReadonlySet<string> {
  const parts = new Finder(PART);
  const names = new Finder(SHORTEST);
  for (const secret of secrets) {
    const likeness = likenessOf(secret);
    if (likeness === 'too short') continue;
    for (const trace of tracesOf(secret)) {
      const isPlain = trace === secret;
      if (likeness === 'made up') {
        const isWhole = isPlain || trace === encodeURIComponent(secret);
        if (trace.length >= SHORTEST) names.add({ secret, text: trace, isWhole });
      } else if (trace.length >= PART) {
        // Half of it is a leak as well: its beginning will do, or its end.
        parts.add({ secret, text: trace.slice(0, PART), isWhole: false });
        if (isPlain) parts.add({ secret, text: trace.slice(-PART), isWhole: false });
      }
    }
  }
  return (text) => {
    const found = new Set<string>();
    parts.find(text, found);
    names.find(text, found);
    return found;
  };
}

/**
 * What secrets look like that nobody here has seen: those of a sandbox in another process, and what the fake
 * server issues.
 */
const MARKED =
  /\bsandbox\.[\w-]{40,}|\bsandbox-(code|device)-[\w-]{20}|\bsEcReT-|c2FuZGJveC5|NhbmRib3guS|zYW5kYm94Lkl/;

export const isMarked = (text: string): boolean => MARKED.test(text);
