/** In the page itself, since the page loads nothing. System colours: light, dark and forced. */
export const STYLE = `
:root { color-scheme: light dark; --ink: #1b2530; --soft: #56646f; --paper: #fff; --ground: #eef1f4;
  --line: #8695a1; --accent: #0b5cad; --on-accent: #fff; --warn: #ffd24a; --on-warn: #2b2100; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6ebf0; --soft: #a5b2bd; --paper: #1d262e;
  --ground: #12181d; --line: #6d7d8a; --accent: #7db8f5; --on-accent: #07223d; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; background: var(--ground); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; }
.banner { margin: 0; padding: .6rem 1rem; background: var(--warn); color: var(--on-warn); text-align: center; }
.banner strong { letter-spacing: .08em; margin-right: .4em; }
main { max-width: 31rem; margin: clamp(1rem, 8vh, 5rem) auto 2rem; padding: 1.75rem; background: var(--paper);
  border-radius: .75rem; box-shadow: 0 1px 3px #0003; }
h1 { margin: 0 0 1.25rem; font-size: 1.4rem; line-height: 1.25; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1rem; margin: 0 0 1.25rem; }
dt { color: var(--soft); }
dd { margin: 0; }
code { font: .9em ui-monospace, monospace; overflow-wrap: anywhere; }
fieldset { margin: 0 0 1.25rem; padding: 0; border: 0; }
legend { padding: 0; margin-bottom: .4rem; color: var(--soft); }
label { display: flex; gap: .6rem; align-items: center; min-height: 2.5rem; padding: .35rem .75rem;
  border: 1px solid var(--line); border-radius: .5rem; cursor: pointer; }
label + label { margin-top: .4rem; }
.field { display: block; min-height: 0; margin-bottom: .4rem; padding: 0; border: 0; color: var(--soft); }
input { flex: none; width: 1.1rem; height: 1.1rem; margin: 0; accent-color: var(--accent); }
.code { font: 1.5rem/1.25 ui-monospace, monospace; letter-spacing: .1em; overflow-wrap: anywhere; }
input.code { width: 100%; height: auto; padding: .6rem .75rem; border: 1px solid var(--line); border-radius: .5rem;
  background: none; color: inherit; text-transform: uppercase; }
.problem { margin: 0 0 1.25rem; padding-left: .75rem; border-left: .25rem solid currentColor; font-weight: 600; }
.actions { display: flex; gap: .75rem; margin: 1.5rem 0 0; }
button { flex: 1; min-height: 2.75rem; border: 1px solid var(--accent); border-radius: .5rem;
  background: var(--accent); color: var(--on-accent); font: inherit; font-weight: 600; cursor: pointer; }
button.quiet { background: none; color: var(--accent); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
@media (max-width: 30rem) { main { margin: 0; padding: 1.25rem 1rem; border-radius: 0; box-shadow: none; }
  body { background: var(--paper); } dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .5rem; } }
`;
