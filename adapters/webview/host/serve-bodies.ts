import type { Clock } from '../../../src/ports/index.js';
import { textOf } from '../protocol/fields.js';
import { createAnswers, type Answers } from './serve-answers.js';
import type { Method } from './serve-requests.js';
import { createUploads, type Uploads } from './serve-uploads.js';

/** Bodies under way, both ways, of one page. */
export interface ServedBodies extends Pick<Uploads, 'lend'>, Pick<Answers, 'give'> {
  readonly methods: Readonly<Record<string, Method>>;
  close(): void;
}

/** `limit` is that of a message, in bytes, at the time. */
export function createServedBodies(limit: () => number, clock: Clock): ServedBodies {
  const uploads = createUploads();
  const answers = createAnswers(limit, clock);
  return {
    methods: {
      'body.read': (params, { signal }) => answers.read(params, signal),
      'body.write': async (params) => ({ ...uploads.write(params) }),
      'body.close': async (params) => {
        const name = textOf(params, 'body', 200) ?? '';
        answers.free(name);
        uploads.free(name);
        return {};
      },
    },
    lend: uploads.lend,
    give: answers.give,
    close() {
      answers.close();
      uploads.close();
    },
  };
}
