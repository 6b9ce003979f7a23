import { JSDOM, VirtualConsole } from 'jsdom';

const NAMES = ['HTMLElement', 'customElements', 'CSSStyleSheet', 'document'] as const;

/** A page, of which the library sees what a page has globally. Returns what takes it away again. */
export function openPage(): { readonly document: Document; close(): void } {
  // Its own console would tell of styles that jsdom cannot read.
  const { window } = new JSDOM('<!doctype html><body></body>', {
    url: 'https://page.example/',
    virtualConsole: new VirtualConsole(),
  });
  const globals = globalThis as Record<string, unknown>;
  const before = NAMES.map((name) => [name, globals[name]] as const);
  for (const name of NAMES) globals[name] = name === 'CSSStyleSheet' ? undefined : window[name];
  return {
    document: window.document,
    close() {
      for (const [name, value] of before) globals[name] = value;
      window.close();
    },
  };
}
