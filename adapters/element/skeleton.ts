import type { Action, View } from './view.js';
import type { Texts } from './texts.js';

export interface Deeds {
  /** Called inside the click. */
  act(action: Action): void;
  paste(text: string): void;
}

export interface Skeleton {
  /** Shows another view, in place: what has the focus keeps it as long as it is there. */
  show(view: View, texts: Texts): void;
  /** The time left, which no reader of screens is told every second. Empty: none. */
  tick(time: string): void;
}

/** In the order they stand in, with the parts a page may style. */
const BUTTONS: ReadonlyArray<readonly [action: Action, part: string]> = [
  ['signIn', 'button main sign-in'],
  ['tryAgain', 'button try-again'],
  ['signOut', 'button sign-out'],
  ['cancel', 'button cancel'],
];

/** Made once, of elements alone, so that no policy of a page stands in its way. */
export function createSkeleton(root: ShadowRoot, deeds: Deeds): Skeleton {
  const { ownerDocument: page } = root;
  const make = <K extends keyof HTMLElementTagNameMap>(tag: K, part: string) => {
    const element = page.createElement(tag);
    element.setAttribute('part', part);
    return element;
  };

  const panel = make('div', 'panel');
  panel.setAttribute('role', 'group');
  panel.tabIndex = -1;

  // All that is news, read out together.
  const live = make('div', 'live');
  live.setAttribute('role', 'status');
  live.setAttribute('aria-live', 'polite');
  live.setAttribute('aria-atomic', 'true');
  const spinner = make('span', 'spinner');
  spinner.setAttribute('aria-hidden', 'true');
  const status = make('p', 'status');
  const notes = make('div', 'notes');
  notes.id = 'notes';
  live.append(spinner, status, notes);

  const code = make('code', 'code');
  // Of code alone a name is not read out (ARIA 1.2, section 5.2.8.6).
  code.setAttribute('role', 'group');
  code.dir = 'ltr';
  const time = make('p', 'time');
  time.setAttribute('role', 'timer');

  const form = make('form', 'form');
  const label = make('label', 'label');
  const labelText = make('span', 'label-text');
  const input = make('input', 'input');
  Object.assign(input, { type: 'text', required: true, autocomplete: 'off', spellcheck: false });
  input.setAttribute('autocapitalize', 'none');
  // Addresses and codes run from left to right in every language.
  input.dir = 'ltr';
  input.setAttribute('aria-describedby', notes.id);
  const send = make('button', 'button main send');
  send.type = 'submit';
  label.append(labelText, input);
  form.append(label, send);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    deeds.paste(input.value);
  });

  const actions = make('div', 'actions');
  const link = make('a', 'link');
  link.target = '_blank';
  link.rel = 'noopener noreferrer';
  const buttons = new Map<Action, HTMLButtonElement>();
  for (const [action, part] of BUTTONS) {
    const button = make('button', part);
    button.type = 'button';
    // Of a double click only the first was meant for what was there then.
    button.addEventListener('click', ({ detail }) => {
      if (detail < 2) deeds.act(action);
    });
    buttons.set(action, button);
  }
  actions.append(...buttons.values());
  panel.append(live, link, code, time, form, actions);
  root.append(panel);

  return {
    show(view, texts) {
      const { activeElement } = root;
      panel.setAttribute('aria-label', texts.label);
      panel.hidden = view.status === '';
      spinner.hidden = !view.isBusy;
      write(status, view.status);
      showNotes(view);
      code.hidden = view.deviceCode === null;
      write(code, view.deviceCode ?? '');
      code.setAttribute('aria-label', texts.deviceCode);
      showLink(view, texts);
      form.hidden = !view.canPaste;
      // What was pasted is a secret.
      if (!view.canPaste) input.value = '';
      write(labelText, texts.pasteLabel);
      write(send, texts.send);
      for (const [action, button] of buttons) {
        button.hidden = !view.actions.includes(action);
        write(button, texts[action]);
      }
      actions.hidden = view.actions.length === 0;
      // A control that went takes the focus with it, and a keyboard would start over at the top of the page.
      if (activeElement?.closest('[hidden]')) panel.focus({ preventScroll: true });
    },
    tick(text) {
      time.hidden = text === '';
      write(time, text);
    },
  };

  function showNotes(view: View): void {
    const told = view.notes.map(({ text }) => text).join('\n');
    notes.hidden = view.notes.length === 0;
    const isWrong = view.notes.some(({ tone }) => tone === 'problem');
    input.setAttribute('aria-invalid', String(isWrong && view.canPaste));
    // Written anew they would be read out anew.
    if (notes.textContent === told.replace(/\n/g, '')) return;
    // Not `replaceChildren`, which came with Chrome 86 alone.
    notes.textContent = '';
    for (const { tone, text } of view.notes) {
      const note = make('p', `note note-${tone}`);
      note.textContent = text;
      notes.append(note);
    }
  }

  function showLink({ link: shown }: View, texts: Texts): void {
    link.hidden = shown === null;
    if (!shown) {
      link.removeAttribute('href');
      return;
    }
    link.href = shown.href;
    write(link, shown.text ?? texts.openPage);
    link.setAttribute('part', shown.text ? 'link link-text' : 'link link-button main');
    link.dir = shown.text ? 'ltr' : '';
  }
}

/** Only what has changed: a live region is read out when it is written to. */
function write(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}
