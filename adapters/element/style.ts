/**
 * In colours of the system or of the page, so that both schemes fit; what says something by colour says it by a
 * sign and in words as well. Nothing newer than Chrome 88.
 */
const CSS = `
:host {
  display: block;
  box-sizing: border-box;
  max-width: 28rem;
  --_accent: var(--mortise-accent, #1a66d6);
  --_on-accent: var(--mortise-on-accent, #fff);
  --_line: var(--mortise-line, #8888);
  --_problem: var(--mortise-problem, #d93040);
  --_notice: var(--mortise-notice, #b07800);
  --_radius: var(--mortise-radius, .5rem);
}
:host([hidden]), [hidden] { display: none !important; }
* { box-sizing: border-box; }
[part~=panel] {
  padding: 1rem;
  border: 1px solid var(--_line);
  border-radius: var(--_radius);
  outline: none;
  line-height: 1.45;
  overflow-wrap: anywhere;
}
[part~=live] { display: flex; align-items: center; flex-wrap: wrap; gap: .25rem .6rem; }
p { margin: 0; }
[part~=status] { flex: 1 1 12rem; font-weight: 600; }
[part~=time] { margin-top: .25rem; font-size: .9em; font-variant-numeric: tabular-nums; }
[part~=notes] { flex: 1 0 100%; font-weight: 400; }
[part~=note] {
  margin-top: .5rem;
  padding-inline-start: .7rem;
  border-inline-start: .25rem solid var(--_notice);
}
[part~=note-problem] { border-inline-start-color: var(--_problem); }
[part~=spinner] {
  flex: none;
  width: 1.1em;
  height: 1.1em;
  border: .16em solid var(--_line);
  border-top-color: currentColor;
  border-radius: 50%;
}
[part~=code] {
  display: block;
  width: max-content;
  max-width: 100%;
  margin-top: .5rem;
  font: 600 1.6em/1.3 ui-monospace, Consolas, Menlo, monospace;
  letter-spacing: .08em;
  -webkit-user-select: all;
  user-select: all;
}
[part~=actions], form { display: flex; flex-wrap: wrap; gap: .6rem; margin-top: .9rem; }
form { align-items: flex-end; }
label { flex: 1 1 12rem; font-size: .9em; }
input {
  display: block;
  width: 100%;
  margin-top: .25rem;
  color: FieldText;
  background: Field;
}
input, button, [part~=link-button] {
  min-height: 2.6em;
  padding: .45em .9em;
  border: 1px solid currentColor;
  border-radius: calc(var(--_radius) * .75);
  font: inherit;
  font-size: 1rem;
}
button, [part~=link-button] {
  display: inline-flex;
  align-items: center;
  color: inherit;
  background: none;
  text-decoration: none;
  cursor: pointer;
}
[part~=main] { color: var(--_on-accent); background: var(--_accent); border-color: transparent; }
button:hover, [part~=link-button]:hover { text-decoration: underline; }
[part~=link] { margin-top: .9rem; }
[part~=link-text] { display: inline-block; margin-top: .5rem; color: inherit; }
:focus-visible { outline: .18rem solid var(--_accent); outline-offset: .15rem; }
[part~=panel]:focus-visible { outline-offset: .1rem; }
@media (prefers-reduced-motion: no-preference) {
  [part~=spinner] { animation: turn 1s linear infinite; }
}
@media (forced-colors: active) {
  [part~=spinner] { forced-color-adjust: none; border-color: CanvasText; border-top-color: transparent; }
}
@keyframes turn { to { transform: rotate(360deg); } }
`;

/**
 * A constructed sheet, which `style-src 'self'` lets pass. An engine without them (Safari before 16.4) gets an
 * element, which such a policy blocks: the element then works unadorned.
 */
export function addStyle(root: ShadowRoot): void {
  const { CSSStyleSheet: Sheet } = globalThis as { CSSStyleSheet?: typeof CSSStyleSheet };
  if (Sheet && 'replaceSync' in Sheet.prototype && 'adoptedStyleSheets' in root) {
    const sheet = new Sheet();
    sheet.replaceSync(CSS);
    root.adoptedStyleSheets = [sheet];
    return;
  }
  const style = root.ownerDocument.createElement('style');
  style.textContent = CSS;
  root.append(style);
}
