import type { HttpTransport } from '../ports/index.js';
import { decide, openPage, type ConsentAnswer } from './answer-consent.js';

/**
 * Plays the user on another device: types the code that `session.state` shows, and clicks.
 *
 * @throws {MortiseError} `configuration_error` when the page shows a mistake instead.
 */
export async function answerDevice(
  sandbox: HttpTransport,
  { verificationUri, userCode }: { readonly verificationUri: string; readonly userCode: string },
  answer: ConsentAnswer,
): Promise<void> {
  await openPage(sandbox, verificationUri);
  const url = new URL(verificationUri);
  url.searchParams.set('user_code', userCode);
  await decide(sandbox, url.href, answer);
}
