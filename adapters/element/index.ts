/** @module `<mortise-sign-in>`: a session, to be seen and clicked. Nothing happens at import. */
import { createPanel, type DescribeUser } from './panel.js';
import type { SignInSession } from './sign-in-session.js';
import type { Texts } from './texts.js';

export type { DescribeUser } from './panel.js';
export type { SignInSession } from './sign-in-session.js';
export type { Texts } from './texts.js';

export interface SignInElement extends HTMLElement {
  /** What it shows and drives. Read, while it is in a document, with `restore` first where nobody did. */
  session: SignInSession | null;
  /** In place of the English ones. */
  texts: Partial<Texts>;
  /** Asked once for each user who signs in. */
  describeUser: DescribeUser | null;
}

const PROPERTIES = ['session', 'texts', 'describeUser'] as const;

/**
 * Makes the element known to the page. To do it again is harmless.
 *
 * @param name What the element is called, with a hyphen in it.
 */
export function define(name = 'mortise-sign-in'): void {
  const { customElements } = globalThis;
  if (customElements.get(name)) return;
  // A class for each name, as elements want it; and none where there is no page to show one.
  class MortiseSignIn extends HTMLElement implements SignInElement {
    private readonly panel = createPanel(this);

    get session() {
      return this.panel.session;
    }
    set session(session) {
      this.panel.session = session;
    }
    get texts() {
      return this.panel.texts;
    }
    set texts(texts) {
      this.panel.texts = texts;
    }
    get describeUser() {
      return this.panel.describeUser;
    }
    set describeUser(describeUser) {
      this.panel.describeUser = describeUser;
    }
    connectedCallback() {
      // What the page set before the element was known would hide what is here.
      for (const property of PROPERTIES) takeOver(this, property);
      this.panel.connect();
    }
    disconnectedCallback() {
      this.panel.disconnect();
    }
  }
  customElements.define(name, MortiseSignIn);
}

function takeOver<K extends keyof SignInElement>(element: SignInElement, property: K): void {
  if (!Object.prototype.hasOwnProperty.call(element, property)) return;
  const { [property]: early } = element;
  delete (element as Partial<SignInElement>)[property];
  element[property] = early;
}

declare global {
  interface HTMLElementTagNameMap {
    'mortise-sign-in': SignInElement;
  }
}
