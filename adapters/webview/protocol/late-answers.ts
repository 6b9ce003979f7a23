import { textOf, type Fields } from './fields.js';

const MAX_REMEMBERED = 256;

export type Release = (method: 'visit.close' | 'body.close', params: Fields) => void;

/** Frees what an answer that nobody hears has opened. */
export function releaseOpened(method: string, result: Fields, release: Release): void {
  const visit = textOf(result, 'visit', 200);
  if (visit !== undefined) release('visit.close', { visit });
  // In other answers `body` holds bytes, and `more` is the name.
  const body = textOf(result, method === 'body.write' ? 'body' : 'more', 200);
  if (body !== undefined) release('body.close', { body });
}

/** Answers to requests that were withdrawn. */
export interface LateAnswers {
  /** `method` was withdrawn under this id. */
  expect(id: string, method: string): void;
  /** Frees what the answer names, once. */
  hear(id: string, result: Fields): void;
}

/** `cancel` may cross an answer on its way, and nobody else would ever close what that has opened. */
export function createLateAnswers(release: Release): LateAnswers {
  /** Methods by id, the oldest first. */
  const withdrawn = new Map<string, string>();
  return {
    expect(id, method) {
      withdrawn.set(id, method);
      const [oldest = id] = withdrawn.keys();
      if (withdrawn.size > MAX_REMEMBERED) withdrawn.delete(oldest);
    },
    hear(id, result) {
      const method = withdrawn.get(id);
      withdrawn.delete(id);
      if (method !== undefined) releaseOpened(method, result, release);
    },
  };
}
