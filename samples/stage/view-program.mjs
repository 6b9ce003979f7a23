// Finds a Python that has the engine of a web view, and a screen for it.
import { spawnSync } from 'node:child_process';
import { MortiseError } from 'mortise';

const QT_OFFSCREEN = {
  QT_QPA_PLATFORM: 'offscreen',
  QTWEBENGINE_CHROMIUM_FLAGS: '--disable-gpu --disable-background-networking',
};

const ENGINES = {
  qt: {
    name: 'Qt WebEngine',
    probe: 'import PyQt6.QtWebEngineWidgets, PyQt6.QtWebChannel',
    packages: 'python3-pyqt6.qtwebengine',
    programs: [],
    offscreen: { command: [], env: QT_OFFSCREEN },
  },
  webkit: {
    name: 'WebKitGTK',
    probe:
      'import gi; gi.require_version("Gtk", "3.0"); gi.require_version("WebKit2", "4.1"); from gi.repository import WebKit2',
    packages: 'gir1.2-webkit2-4.1 python3-gi xvfb xauth dbus',
    programs: ['dbus-run-session', 'xvfb-run'],
    offscreen: {
      command: ['dbus-run-session', '--', 'xvfb-run', '-a'],
      env: { WEBKIT_DISABLE_COMPOSITING_MODE: '1', NO_AT_BRIDGE: '1', GSETTINGS_BACKEND: 'memory' },
    },
  },
};

const works = (program, ...args) => spawnSync(program, args, { stdio: 'ignore' }).status === 0;

/** Qt's sandbox refuses to be run by root, as a build server often does. What is shown here is our own. */
const forRoot = () =>
  process.getuid?.() === 0
    ? {
        QTWEBENGINE_DISABLE_SANDBOX: '1',
        QTWEBENGINE_CHROMIUM_FLAGS: `${QT_OFFSCREEN.QTWEBENGINE_CHROMIUM_FLAGS} --no-sandbox`,
      }
    : {};

/**
 * The command and the environment of a Python program with this engine.
 *
 * @throws {MortiseError} `configuration_error`: the engine is not on this machine.
 */
export function viewProgram(engine, { isOffscreen }) {
  const { name, probe, packages, programs, offscreen } = ENGINES[engine];
  // The one of the system first: packages of the system are not for any other.
  const pythons = [process.env.PYTHON, '/usr/bin/python3', 'python3', 'python'];
  const python = pythons.find((program) => program && works(program, '-c', probe));
  const missing = isOffscreen && programs.find((program) => !works(program, '--help'));
  if (!python || missing) {
    const hint = `On Debian: apt install ${packages}. PYTHON names another Python.`;
    const problem = `no Python with ${name}${missing ? `, or no ${missing}` : ''}`;
    throw new MortiseError('configuration_error', { problem }, { hint });
  }
  if (!isOffscreen) return { name, command: [python], env: forRoot() };
  return { name, command: [...offscreen.command, python], env: { ...offscreen.env, ...forRoot() } };
}
