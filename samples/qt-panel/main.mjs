// A panel in Qt WebEngine. What is worth reading is beside this file: panel.html, and the Python of its host.
import { playPanel } from '../stage/play-panel.mjs';
import { setting } from '../stage/play.mjs';

await playPanel({
  engine: 'qt',
  program: new URL('main.py', import.meta.url),
  capture: 'host',
  redirectUri: setting('SPECKLE_REDIRECT_URI') ?? 'http://localhost:47824/callback',
});
