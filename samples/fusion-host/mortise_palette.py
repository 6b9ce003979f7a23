"""
A panel in a palette of Autodesk Fusion.

Not run: no Fusion was at hand. What speaks the protocol is samples/qt-panel, which is tested; this hands its texts on.
"""

import os
import queue
import sys
import webbrowser

import adsk.core

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from mortise_host import Host  # noqa: E402
from navigation import is_web  # noqa: E402

_ACTION = "mortise"
_EVENT = "acme.mortise.later"


class _Heard(adsk.core.HTMLEventHandler):
    def __init__(self, hear):
        super().__init__()
        self._hear = hear

    def notify(self, args):
        args = adsk.core.HTMLEventArgs.cast(args)
        if args.action == _ACTION:
            self._hear(args.data)
        # Nothing at all counts as a failure there.
        args.returnData = "OK"


class _Navigating(adsk.core.NavigationEventHandler):
    """Links out of the panel open in the browser. Fusion asks for links alone, so this is a courtesy and no fence."""

    def __init__(self, address):
        super().__init__()
        self._address = address

    def notify(self, args):
        args = adsk.core.NavigationEventArgs.cast(args)
        if args.navigationURL.split("#")[0] != self._address and is_web(args.navigationURL):
            args.launchExternally = True


class _Closed(adsk.core.UserInterfaceGeneralEventHandler):
    def __init__(self, closed):
        super().__init__()
        self._closed = closed

    def notify(self, args):
        self._closed()


class _Later(adsk.core.CustomEventHandler):
    def __init__(self, run):
        super().__init__()
        self._run = run

    def notify(self, args):
        self._run()


class MortisePalette:
    def __init__(self, address, name, id="acmeMortisePalette"):
        self._address = address.split("#")[0]
        self._name = name
        self._id = id
        self._app = adsk.core.Application.get()
        self._palette = None
        self._tasks = queue.Queue()
        # Whatever other threads find out comes back to Fusion's own by an event: nothing else may touch its API.
        self._event = self._app.registerCustomEvent(_EVENT)
        # Fusion does not keep handlers alive.
        self._handlers = [_Later(self._run_tasks)]
        self._event.add(self._handlers[0])
        self.host = Host(name, self._send, self._later, program=self, offers=("browser", "http", "store"))

    def show(self):
        # The secret of this load is in its address (PROTOCOL.md section 2): no script runs before the page's own. Fusion tells
        # of no reload, so it holds until the next time.
        url = f"{self._address}#mortise-nonce={self.host.load()}"
        palettes = self._app.userInterface.palettes
        old = palettes.itemById(self._id)
        if old:
            old.deleteMe()
        self._palette = palettes.add(self._id, self._name, url, True, True, True, 420, 640, True)
        for event, handler in (
            (self._palette.incomingFromHTML, _Heard(self.host.receive)),
            (self._palette.navigatingURL, _Navigating(self._address)),
            (self._palette.closed, _Closed(self.host.leave)),
        ):
            event.add(handler)
            self._handlers.append(handler)

    def close(self):
        self.host.bye()
        if self._palette:
            self._palette.deleteMe()
            self._palette = None
        self._app.unregisterCustomEvent(_EVENT)

    # What the host asks for.

    def open_browser(self, url):
        if not webbrowser.open(url):
            raise OSError("no browser")

    def _send(self, text):
        if self._palette:
            self._palette.sendInfoToHTML(_ACTION, text)

    def _later(self, task):
        self._tasks.put(task)
        self._app.fireCustomEvent(_EVENT)

    def _run_tasks(self):
        while not self._tasks.empty():
            self._tasks.get()()
