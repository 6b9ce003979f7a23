"""
A process with web views that a test drives: one JSON object per line on stdin and on stdout.

in:   {"id": 1, "do": "open", ...}     out:  {"id": 1, "result": ...} or {"id": 1, "error": "..."}
                                       out:  {"event": "...", "view": "...", ...}

What the views are is the samples' own business: this tests them, and has nothing of its own between the engine and a test.
"""

import json
import os
import secrets
import sys
import threading

folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "samples")
for name in ("qt-panel", "webkit-panel"):
    sys.path.insert(0, os.path.join(folder, name))

from navigation import ALLOW, PanelNavigation, SignInNavigation, is_same_page  # noqa: E402


def tell(line):
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


class Events:
    def __init__(self, view):
        self.view = view

    def navigating(self, url, is_main_frame, verdict):
        tell({"event": "navigating", "view": self.view, "url": url, "main": is_main_frame, "verdict": verdict})

    def certificate_refused(self, url):
        tell({"event": "certificate", "view": self.view, "url": url})

    def download_refused(self, url):
        tell({"event": "download", "view": self.view, "url": url})

    def closed(self):
        tell({"event": "closed", "view": self.view})

    def finished(self):
        """Of a load, well or badly."""
        tell({"event": "finished", "view": self.view})


class Wire:
    """In place of a host: what comes over the bridge is the test's."""

    def __init__(self, view):
        self.view = view

    def load(self):
        nonce = secrets.token_urlsafe(24)
        tell({"event": "load", "view": self.view, "text": nonce})
        return nonce

    def leave(self):
        tell({"event": "leave", "view": self.view})

    def receive(self, text):
        tell({"event": "text", "view": self.view, "text": text})


class Tempted(PanelNavigation):
    """A host that lets its panel go where it should not: what holds then does not rest on navigation."""

    def __init__(self, panel_url, also):
        super().__init__(panel_url)
        self.also = also

    def decide(self, url, is_main_frame):
        if is_main_frame and any(is_same_page(url, one) for one in self.also):
            return ALLOW
        return super().decide(url, is_main_frame)


class Driver:
    """`engine` has open(navigation, events, host, options), forget(profile), screenshot(widget, path), later(task), run() and quit()."""

    def __init__(self, engine):
        self.engine = engine
        self.views = {}

    def run(self):
        threading.Thread(target=self._read, daemon=True).start()
        tell({"event": "ready", "view": None})
        self.engine.run()

    def _read(self):
        for line in sys.stdin:
            command = json.loads(line)
            self.engine.later(lambda command=command: self._obey(command))
        self.engine.later(self.engine.quit)

    def _obey(self, command):
        id = command["id"]

        def done(result=None):
            tell({"id": id, "result": result})

        try:
            getattr(self, "do_" + command["do"])(command, done)
        except Exception as error:  # The test is told, whatever it is.
            tell({"id": id, "error": f"{type(error).__name__}: {error}"})

    def do_open(self, command, done):
        name = command["view"]
        redirect = command.get("redirect")
        if redirect:
            navigation = SignInNavigation(redirect)
        else:
            navigation = Tempted(command["panel"], command.get("also", []))

        host = Wire(name) if command.get("bridge") else None
        self.views[name] = self.engine.open(navigation, Events(name), host, command)
        self.views[name].show(name, command.get("width", 400), command.get("height", 600))
        done()

    def do_load(self, command, done):
        self.views[command["view"]].load(command["url"])
        done()

    def do_evaluate(self, command, done):
        self.views[command["view"]].evaluate(command["script"], done)

    def do_send(self, command, done):
        self.views[command["view"]].send(command["text"])
        done()

    def do_detach(self, command, done):
        self.views[command["view"]].detach()
        done()

    def do_forget(self, command, done):
        self.engine.forget(command["profile"])
        done()

    def do_screenshot(self, command, done):
        done(self.engine.screenshot(self.views[command["view"]].widget, command["path"]))

    def do_close(self, command, done):
        self.views.pop(command["view"]).close()
        done()

    def do_quit(self, command, done):
        for view in self.views.values():
            view.close()
        self.views.clear()
        done()
        self.engine.quit()
