import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSession } from 'mortise';
import { createNodeHost, fetchTransport, fileStore } from 'mortise/node';
import { oauth } from 'mortise/providers/oauth';
import { createHttpBrowser } from './http-browser.js';
import { TEST } from './strict-server.js';
import type { Opening } from './worker-protocol.js';

export interface StoredTokens {
  readonly accessToken: string;
  readonly refreshToken: string;
}

const folders: string[] = [];

export function makeDirectory(): string {
  const folder = mkdtempSync(join(tmpdir(), 'mortise-shared-'));
  folders.push(folder);
  return join(folder, 'sessions');
}

/** For `afterAll`. */
export function removeDirectories(): void {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}

/** Signs an account in, in this process and with a person who agrees, and leaves it in the folder. */
export async function signInTo({ directory, provider, speed = 1 }: Opening): Promise<void> {
  const send = fetchTransport();
  const browser = createHttpBrowser();
  const host = createNodeHost({
    store: fileStore({ directory }),
    http: (request) => send({ ...request, headers: { ...request.headers, 'x-worker': TEST } }),
    async openBrowser(url) {
      // Not waited for: the page is shown when the sign-in is through, which waits for us.
      void browser.load(await browser.authorize(url));
    },
  });
  const session = createSession({
    host: { ...host, lock: (key, timeoutMs, task) => host.lock(key, timeoutMs / speed, task) },
    provider: oauth(provider as Parameters<typeof oauth>[0]),
  });
  await session.signIn();
  await session.close();
}

/** What lies in the folder, read past the library: `null` when nobody is signed in. */
export function storedIn(directory: string): StoredTokens | null {
  if (!existsSync(directory)) return null;
  for (const name of readdirSync(directory).filter((each) => each.endsWith('.txt'))) {
    const value = JSON.parse(readFileSync(join(directory, name), 'utf8')) as Partial<StoredTokens>;
    if (value.accessToken && value.refreshToken) return value as StoredTokens;
  }
  return null;
}

/** Files that a process which died in the middle of a save has left. */
export const leftoversIn = (directory: string): string[] =>
  readdirSync(directory).filter((name) => name.endsWith('.tmp'));
