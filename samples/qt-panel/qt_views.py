"""Two kinds of web view of Qt WebEngine 6: the panel, which has a bridge, and pages of a sign-in, which have none."""

import json

from PyQt6.QtCore import QFile, QIODevice, QObject, QUrl, pyqtSignal, pyqtSlot
from PyQt6.QtWebChannel import QWebChannel
from PyQt6.QtWebEngineCore import (
    QWebEnginePage,
    QWebEngineProfile,
    QWebEngineScript,
    QWebEngineSettings,
    QWebEngineUrlRequestInterceptor,
)
from PyQt6.QtWebEngineWidgets import QWebEngineView

from navigation import ALLOW, is_same_page


# As the engine has it: nothing decoded, nothing left out.
FULL = QUrl.ComponentFormattingOption.FullyEncoded

# The secret of one load (PROTOCOL.md section 2). Qt runs this in the main frame alone.
_NONCE = "if (location.href.split('#')[0] === PANEL) globalThis.mortiseNonce = NONCE;"


def _qwebchannel_js():
    """Qt's own half of a QWebChannel, which every Qt carries within."""
    file = QFile(":/qtwebchannel/qwebchannel.js")
    file.open(QIODevice.OpenModeFlag.ReadOnly)
    return bytes(file.readAll()).decode()


class Bridge(QObject):
    """What the panel sees as the object `mortise`: `send(text)` towards here, the signal `message` towards the page."""

    message = pyqtSignal(str)

    def __init__(self, parent, on_text):
        super().__init__(parent)
        self._on_text = on_text

    @pyqtSlot(str)
    def send(self, text):
        self._on_text(text)


class _Guard(QWebEngineUrlRequestInterceptor):
    """Nothing a page loads, an image or a frame in a frame, may reach the redirect address either."""

    def __init__(self, parent, navigation):
        super().__init__(parent)
        self._navigation = navigation

    def interceptRequest(self, info):
        if self._navigation.is_reserved(info.requestUrl().toString(FULL)):
            info.block(True)


class _Page(QWebEnginePage):
    def __init__(self, profile, parent, view):
        super().__init__(profile, parent)
        self._view = view
        # Qt refuses a bad certificate unless somebody accepts it. Here nobody does.
        self.certificateError.connect(self._refuse_certificate)
        self.featurePermissionRequested.connect(
            lambda origin, feature: self.setFeaturePermission(
                origin, feature, QWebEnginePage.PermissionPolicy.PermissionDeniedByUser
            )
        )
        self.newWindowRequested.connect(self._refuse_window)
        self.fullScreenRequested.connect(lambda request: request.reject())
        self.registerProtocolHandlerRequested.connect(lambda request: request.reject())

    def _refuse_certificate(self, error):
        error.rejectCertificate()
        self._view.events.certificate_refused(error.url().toString(FULL))

    # Called for each navigation and each redirect, before anything is sent.
    def acceptNavigationRequest(self, url, kind, is_main_frame):
        address = url.toString(FULL)
        verdict = self._view.navigation.decide(address, is_main_frame)
        if verdict == ALLOW and is_main_frame:
            self._view.about_to_show(address, kind == QWebEnginePage.NavigationType.NavigationTypeReload)
        self._view.events.navigating(address, is_main_frame, verdict)
        return verdict == ALLOW

    # window.open, target=_blank: nothing opens in here, and whatever a page asks for, nothing is made for it.
    def _refuse_window(self, request):
        address = request.requestedUrl().toString(FULL)
        self._view.events.navigating(address, True, self._view.navigation.decide_window(address))

    # A dialog of the page's own would stop the program around it.
    def javaScriptAlert(self, origin, message):
        pass

    def javaScriptConfirm(self, origin, message):
        return False

    def javaScriptPrompt(self, origin, message, default):
        return False, ""

    def chooseFiles(self, mode, old, types):
        return []


class _Window(QWebEngineView):
    def __init__(self, view):
        super().__init__()
        self._view = view

    def closeEvent(self, event):
        super().closeEvent(event)
        self._view.closed_by_user()


class WebView:
    """
    One view. Unless it is given a profile, it has one of its own in memory, which is gone with it: no cookie of one
    account meets another.

    `navigation` decides where it may go (see navigation.py); `events` hears of it. With `host` it has a bridge to it.
    """

    def __init__(self, navigation, events, host=None, profile=None):
        self.navigation = navigation
        self.events = events
        self._host = host
        self._is_panel = False
        self._is_told_to_load = False
        self._is_closing = False
        self.widget = _Window(self)
        # Without a name it keeps everything in memory.
        self._profile = profile or QWebEngineProfile(self.widget)
        self._profile.downloadRequested.connect(self._refuse_download)
        self.page = _Page(self._profile, self.widget, self)
        self._guard = _Guard(self.widget, navigation)
        self.page.setUrlRequestInterceptor(self._guard)
        self._restrict(self.page.settings())
        if host:
            self._add_bridge()
        self.widget.setPage(self.page)

    def _restrict(self, settings):
        settings.setUnknownUrlSchemePolicy(QWebEngineSettings.UnknownUrlSchemePolicy.DisallowUnknownUrlSchemes)
        attribute = QWebEngineSettings.WebAttribute
        for name, value in {
            attribute.LocalContentCanAccessFileUrls: True,
            attribute.LocalContentCanAccessRemoteUrls: False,
            attribute.JavascriptCanOpenWindows: True,
            attribute.JavascriptCanAccessClipboard: False,
            attribute.PluginsEnabled: False,
            attribute.ErrorPageEnabled: False,
            attribute.DnsPrefetchEnabled: False,
        }.items():
            settings.setAttribute(name, value)

    def _add_bridge(self):
        # A page that has just left may still have something to say.
        self.bridge = Bridge(self.widget, lambda text: self._is_panel and self._host.receive(text))
        self._channel = QWebChannel(self.widget)
        self._channel.registerObject("mortise", self.bridge)
        self.page.setWebChannel(self._channel)

    def about_to_show(self, url, is_reload):
        """Before each page of the main frame: a bridge and a new nonce for the panel, and for no other page."""
        if not self._host:
            return
        is_told, self._is_told_to_load = self._is_told_to_load, False
        panel_url = self.navigation.panel_url
        if not is_same_page(url, panel_url):
            self.detach()
            return
        # To another place on the page that is there nothing is loaded.
        if self._is_panel and "#" in url and not is_reload and not is_told:
            return
        self._is_panel = True
        nonce = self._host.load()
        text = _NONCE.replace("PANEL", json.dumps(panel_url.split("#")[0])).replace("NONCE", json.dumps(nonce))
        script = QWebEngineScript()
        script.setSourceCode(text + _qwebchannel_js())
        script.setInjectionPoint(QWebEngineScript.InjectionPoint.DocumentCreation)
        script.setWorldId(QWebEngineScript.ScriptWorldId.MainWorld)
        script.setRunsOnSubFrames(False)
        self.page.scripts().clear()
        self.page.scripts().insert(script)

    def detach(self):
        """For good: a channel that is put back would reach a page that is still there."""
        if self._host:
            self.page.setWebChannel(None)
            self.page.scripts().clear()
            self._host.leave()
            self._host = None
            self._is_panel = False

    def _refuse_download(self, download):
        download.cancel()
        self.events.download_refused(download.url().toString(FULL))

    def load(self, url):
        self._is_told_to_load = True
        self.page.setUrl(QUrl(url))

    def send(self, text):
        if self._is_panel:
            self.bridge.message.emit(text)

    def evaluate(self, script, done):
        self.page.runJavaScript(script, 0, done)

    def show(self, title, width, height):
        self.widget.setWindowTitle(title)
        self.widget.resize(width, height)
        self.widget.show()

    def closed_by_user(self):
        if not self._is_closing:
            self.events.closed()

    def close(self):
        self._is_closing = True
        self.detach()
        self._profile.downloadRequested.disconnect(self._refuse_download)
        self.widget.close()
        # The page before the profile: Qt warns of trouble otherwise.
        self.page.deleteLater()
        self.widget.deleteLater()
