"""
What the two windows of these samples have in common: a panel, and the views and the browser its host asks for.

A CAD program has this in its plug-in; `toolkit` is what differs between Qt and GTK.
"""

import argparse
import webbrowser

from mortise_host import Host
from navigation import BROWSER, CAPTURE, PanelNavigation, SignInNavigation


def read_arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("panel", help="the address of the panel's page")
    parser.add_argument("--played", action="store_true", help="a program plays the user, over stdin and stdout")
    parser.add_argument("--width", type=int, default=420)
    parser.add_argument("--height", type=int, default=640)
    return parser.parse_args()


class PanelProgram:
    """`toolkit` has open_view(navigation, events, host), later(task) and quit()."""

    def __init__(self, toolkit, panel_url, name, show_browser=webbrowser.open, told=lambda event: None):
        self._toolkit = toolkit
        self._show_browser = show_browser
        self._told = told
        self.views = {}
        self.host = Host(name, send=self._send, later=toolkit.later, program=self)
        self._open("panel", PanelNavigation(panel_url), self.host, panel_url, toolkit.quit)

    def _open(self, name, navigation, host, url, closed):
        program = self

        class Events:
            def navigating(self, url, is_main_frame, verdict):
                program._told({"event": "navigating", "view": name, "url": url, "verdict": verdict})
                if verdict == BROWSER:
                    program._show_browser(url)
                elif verdict == CAPTURE:
                    program.host.redirected(name, url)

            def certificate_refused(self, url):
                program._told({"event": "certificate", "view": name})

            def download_refused(self, url):
                program._told({"event": "download", "view": name})

            def closed(self):
                closed()

        self.views[name] = self._toolkit.open_view(navigation, Events(), host)
        self.views[name].load(url)

    def _send(self, text):
        self.views["panel"].send(text)

    # What the host asks for.

    def open_browser(self, url):
        if self._show_browser(url) is False:
            raise OSError("no browser")

    def open_view(self, visit, url, redirect_uri):
        def closed():
            self.host.view_closed(visit)
            self.close_view(visit)

        # One window a sign-in, however often the panel asks.
        if visit in self.views:
            self.views[visit].load(url)
        else:
            self._open(visit, SignInNavigation(redirect_uri), None, url, closed)
        self._told({"event": "view", "view": visit, "url": url})

    def close_view(self, visit):
        view = self.views.pop(visit, None)
        if view:
            # Not while the view itself is still being asked where it may go.
            self._toolkit.later(view.close)

    def close(self):
        self.host.bye()
        for view in self.views.values():
            view.close()
        self.views.clear()
