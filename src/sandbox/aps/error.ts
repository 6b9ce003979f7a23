import type { Answer } from '../message.js';

const MORE_INFO = 'https://aps.autodesk.com/en/docs/oauth/v2/developers_guide/error_handling/';

export interface ApsError {
  readonly developerMessage: string;
  readonly errorCode?: string;
}

/** An error in the platform's own shape. `more info` is spelt with a blank. */
export function apsError(status: number, { developerMessage, errorCode }: ApsError): Answer {
  return {
    status,
    json: {
      developerMessage,
      userMessage: '',
      ...(errorCode !== undefined && { errorCode }),
      'more info': MORE_INFO,
    },
  };
}

/** What RFC 6749 calls the error; how the platform does. */
const OWN_WORDS: Readonly<Record<string, readonly [status: number, errorCode: string]>> = {
  invalid_client: [401, 'AUTH-003'],
  invalid_request: [400, 'AUTH-008'],
  'AUTH-012': [401, 'AUTH-012'],
};

/**
 * Refusals of the client itself are told in the platform's shape; of a grant or a scope, as RFC 6749
 * section 5.2 prints it. A client has to read both.
 */
export function inOwnWords(answer: Answer): Answer {
  const json = answer.json as { error?: string; error_description?: string } | undefined;
  const [status, errorCode] = OWN_WORDS[json?.error ?? ''] ?? [];
  return status === undefined || errorCode === undefined
    ? answer
    : apsError(status, { developerMessage: json?.error_description ?? '', errorCode });
}
