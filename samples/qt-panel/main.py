#!/usr/bin/env python3
"""A panel in a window of Qt WebEngine 6, and the program around it. `npm run sample qt-panel` starts it."""

import signal
import sys

from PyQt6.QtCore import QObject, Qt, QTimer, pyqtSignal
from PyQt6.QtWidgets import QApplication

import played
from panel_program import PanelProgram, read_arguments
from qt_views import WebView


class Toolkit(QObject):
    _asked = pyqtSignal(object)

    def __init__(self, arguments):
        super().__init__()
        self.app = QApplication(sys.argv[:1])
        self.app.setQuitOnLastWindowClosed(False)
        self._size = arguments.width, arguments.height
        # Queued: it comes from other threads.
        self._asked.connect(lambda task: task(), Qt.ConnectionType.QueuedConnection)

    def open_view(self, navigation, events, host):
        view = WebView(navigation, events, host)
        view.show("Cloud panel" if host else "Sign in", *self._size)
        return view

    def later(self, task):
        self._asked.emit(task)

    def quit(self):
        self.app.quit()


def main():
    arguments = read_arguments()
    toolkit = Toolkit(arguments)
    # Qt leaves no time to Python by itself, and Ctrl-C waits for some.
    timer = QTimer()
    timer.timeout.connect(lambda: None)
    timer.start(200)
    signal.signal(signal.SIGINT, lambda *_: toolkit.quit())
    signal.signal(signal.SIGTERM, lambda *_: toolkit.quit())

    more = {"show_browser": played.show_browser, "told": played.say} if arguments.played else {}
    program = PanelProgram(toolkit, arguments.panel, "Qt sample", **more)
    if arguments.played:
        played.obey(program, toolkit.later, toolkit.quit)
    toolkit.app.exec()
    program.close()
    # Views are let go once round the loop, pages before their profiles.
    QTimer.singleShot(0, toolkit.app.quit)
    toolkit.app.exec()


if __name__ == "__main__":
    main()
