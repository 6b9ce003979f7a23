// A panel in WebKitGTK. What is worth reading is main.py and webkit_views.py, and all else in ../qt-panel.
import { playPanel } from '../stage/play-panel.mjs';
import { setting } from '../stage/play.mjs';

await playPanel({
  engine: 'webkit',
  program: new URL('main.py', import.meta.url),
  capture: 'view',
  redirectUri: setting('SPECKLE_REDIRECT_URI') ?? 'http://localhost:47824/callback',
});
