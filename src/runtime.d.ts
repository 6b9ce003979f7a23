/**
 * What the core may assume of a JavaScript engine beyond ECMAScript 2022: six web names, each looked
 * up when it is called. Porting to an engine without them starts by reading this file.
 */
interface URLSearchParams {
  append(name: string, value: string): void;
  get(name: string): string | null;
  getAll(name: string): string[];
  has(name: string): boolean;
  set(name: string, value: string): void;
  toString(): string;
}
declare const URLSearchParams: {
  new (init?: string | Readonly<Record<string, string>>): URLSearchParams;
};

interface URL {
  readonly href: string;
  readonly origin: string;
  readonly protocol: string;
  readonly username: string;
  readonly password: string;
  readonly host: string;
  readonly hostname: string;
  readonly port: string;
  readonly pathname: string;
  search: string;
  readonly hash: string;
  readonly searchParams: URLSearchParams;
}
declare const URL: { new (url: string, base?: string): URL };

interface AbortSignal {
  readonly aborted: boolean;
  addEventListener(type: 'abort', listener: () => void, options?: { once?: boolean }): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}
declare const AbortSignal: { abort(): AbortSignal };

interface AbortController {
  readonly signal: AbortSignal;
  abort(): void;
}
declare const AbortController: { new (): AbortController };

declare const TextEncoder: { new (): { encode(text: string): Uint8Array } };
declare const TextDecoder: {
  new (
    label?: string,
    options?: { fatal?: boolean },
  ): { decode(bytes?: Uint8Array, options?: { stream?: boolean }): string };
};
