"""Views of Qt WebEngine, driven by a test. See webview_driver.py."""

import sys

from PyQt6.QtCore import QObject, Qt, QTimer, pyqtSignal
from PyQt6.QtWidgets import QApplication
from PyQt6.QtWebEngineCore import QWebEngineProfile

from webview_driver import Driver
from qt_views import WebView


class Engine(QObject):
    _asked = pyqtSignal(object)

    def __init__(self):
        super().__init__()
        self.app = QApplication(sys.argv)
        self.app.setQuitOnLastWindowClosed(False)
        self.profiles = {}
        # Queued, since it comes from the thread that reads.
        self._asked.connect(lambda task: task(), Qt.ConnectionType.QueuedConnection)

    def open(self, navigation, events, host, options):
        name = options.get("profile")
        if name and name not in self.profiles:
            self.profiles[name] = QWebEngineProfile(self.app)
        view = WebView(navigation, events, host, self.profiles.get(name))
        view.page.loadFinished.connect(lambda _: events.finished())
        return view

    def forget(self, name):
        del self.profiles[name]

    def screenshot(self, widget, path):
        return widget.grab().save(path)

    def later(self, task):
        self._asked.emit(task)

    def run(self):
        self.app.exec()

    def quit(self):
        # Once round the loop, so that what was closed is gone before its profile.
        QTimer.singleShot(0, self.app.quit)


Driver(Engine()).run()
