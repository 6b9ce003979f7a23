#!/usr/bin/env python3
"""A panel in a window of WebKitGTK, and the program around it. `npm run sample webkit-panel` starts it."""

import os
import signal
import sys

# What is the same in Qt is there.
sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "qt-panel"))

import played  # noqa: E402
from panel_program import PanelProgram, read_arguments  # noqa: E402
from webkit_views import WebView  # noqa: E402

from gi.repository import GLib, Gtk  # noqa: E402


class Toolkit:
    def __init__(self, arguments):
        self._size = arguments.width, arguments.height

    def open_view(self, navigation, events, host):
        # Of frames a sign-in page may have those of https, where this panel has none.
        view = WebView(navigation, events, host, frame_sources="'none'" if host else "https:")
        view.show("Cloud panel" if host else "Sign in", *self._size)
        return view

    def later(self, task):
        GLib.idle_add(lambda: task() and False)

    def quit(self):
        Gtk.main_quit()


def main():
    arguments = read_arguments()
    toolkit = Toolkit(arguments)
    for name in (signal.SIGINT, signal.SIGTERM):
        GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, name, toolkit.quit)

    more = {"show_browser": played.show_browser, "told": played.say} if arguments.played else {}
    program = PanelProgram(toolkit, arguments.panel, "WebKitGTK sample", **more)
    if arguments.played:
        played.obey(program, toolkit.later, toolkit.quit)
    Gtk.main()
    program.close()


if __name__ == "__main__":
    main()
