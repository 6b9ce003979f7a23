"""Two kinds of web view of WebKitGTK: the panel, which has a bridge, and pages of a sign-in, which have none."""

import json

import gi

gi.require_version("Gtk", "3.0")
gi.require_version("WebKit2", "4.1")
from gi.repository import Gtk, WebKit2  # noqa: E402

from navigation import ALLOW, is_same_page  # noqa: E402

# Frames of any origin reach a message handler of the page's own world. So it is in a world of its own, where only this
# relay runs, in the main frame, and only while that is the panel. Pages do not see it.
_RELAY = """
if (location.href.split('#')[0] === PANEL) {
  document.addEventListener('mortise-to-host', ({ detail }) => {
    if (typeof detail === 'string') webkit.messageHandlers.mortise.postMessage(detail);
  });
}
"""

# What the panel sees, under the name every WebKit uses, and the secret of one load (PROTOCOL.md section 2). Only a script
# of the panel's own origin can send such an event.
_HANDLER = """
if (location.href.split('#')[0] === PANEL) {
  const { document, CustomEvent } = globalThis;
  const postMessage = (detail) => void document.dispatchEvent(new CustomEvent('mortise-to-host', { detail }));
  globalThis.webkit = { messageHandlers: { mortise: { postMessage } } };
  globalThis.mortiseNonce = NONCE;
}
"""

# Asked in the page itself, so that no other page is told.
_RECEIVE = "if (location.href.split('#')[0] === PANEL) globalThis.mortiseReceive?.(TEXT)"

_WORLD = "mortise"


def _fill(source, panel_url, **values):
    source = source.replace("PANEL", json.dumps(panel_url.split("#")[0]))
    for name, value in values.items():
        source = source.replace(name, json.dumps(value))
    return source


def _user_script(text, world=None):
    frames = WebKit2.UserContentInjectedFrames.TOP_FRAME
    time = WebKit2.UserScriptInjectionTime.START
    if world:
        return WebKit2.UserScript.new_for_world(text, frames, time, world, None, None)
    return WebKit2.UserScript.new(text, frames, time, None, None)


class WebView:
    """
    One view. Unless it is given a context, it has one of its own in memory, which is gone with it: no cookie of one
    account meets another.

    `navigation` decides where it may go (see navigation.py); `events` hears of it. With `host` it has a bridge to it.
    WebKitGTK does not say which frame navigates. So a policy of the view's own keeps frames from where only the main
    frame may go: `frame_sources` is what a frame may be, as in a Content-Security-Policy.
    """

    def __init__(self, navigation, events, host=None, context=None, frame_sources="'none'"):
        self.navigation = navigation
        self.events = events
        self._host = host
        self._is_panel = False
        self._is_told_to_load = False
        self._is_closing = False
        self._window = None
        self._context = context or WebKit2.WebContext.new_ephemeral()
        self._context.get_website_data_manager().set_tls_errors_policy(WebKit2.TLSErrorsPolicy.FAIL)
        self._downloads = self._context.connect("download-started", self._refuse_download)
        self._manager = WebKit2.UserContentManager()
        self._may_have_frames = frame_sources != "'none'"
        if host:
            self._manager.connect(f"script-message-received::{_WORLD}", self._hear)
            self._manager.register_script_message_handler_in_world(_WORLD, _WORLD)
        self.widget = WebKit2.WebView(
            web_context=self._context,
            user_content_manager=self._manager,
            default_content_security_policy=f"frame-src {frame_sources}; object-src 'none'",
        )
        settings = self.widget.get_settings()
        settings.set_enable_write_console_messages_to_stdout(False)
        settings.set_enable_developer_extras(False)
        # A panel that is a file may read the files beside it, as scripts, and nothing by fetch.
        settings.set_allow_file_access_from_file_urls(False)
        settings.set_allow_universal_access_from_file_urls(False)
        for signal, handler in {
            "decide-policy": self._decide,
            "create": self._refuse_window,
            "permission-request": self._refuse_permission,
            "script-dialog": lambda *_: True,
            "run-file-chooser": self._refuse_files,
            "enter-fullscreen": lambda *_: True,
            "load-failed": lambda *_: True,
            "load-failed-with-tls-errors": self._refuse_certificate,
        }.items():
            self.widget.connect(signal, handler)

    def _hear(self, _, result):
        value = result.get_js_value()
        if self._is_panel and value.is_string():
            self._host.receive(value.to_string())

    def _decide(self, _, decision, kind):
        kinds = WebKit2.PolicyDecisionType
        if kind == kinds.RESPONSE:
            return self._decide_response(decision)
        action = decision.get_navigation_action()
        url = action.get_request().get_uri()
        if kind == kinds.NEW_WINDOW_ACTION:
            self._refuse_window(self.widget, action)
            decision.ignore()
            return True
        # Without frames it is the main one; with them, what a frame may not be it is as well.
        verdict = self.navigation.decide(url, True)
        if verdict != ALLOW and self._may_have_frames and self.navigation.decide(url, False) == ALLOW:
            # Told apart when it is answered, before any of it is shown.
            return False
        if verdict == ALLOW:
            self._about_to_show(url, action.get_navigation_type() == WebKit2.NavigationType.RELOAD)
        self.events.navigating(url, True, verdict)
        if verdict == ALLOW:
            decision.use()
        else:
            decision.ignore()
        return True

    def _decide_response(self, decision):
        if not decision.is_mime_type_supported():
            self.events.download_refused(decision.get_request().get_uri())
            decision.ignore()
            return True
        if self._may_have_frames and decision.is_main_frame_main_resource():
            url = decision.get_request().get_uri()
            verdict = self.navigation.decide(url, True)
            if verdict != ALLOW:
                self.events.navigating(url, True, verdict)
                decision.ignore()
                return True
        return False

    def _about_to_show(self, url, is_reload):
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
        self._manager.remove_all_scripts()
        self._manager.add_script(_user_script(_fill(_RELAY, panel_url), _WORLD))
        self._manager.add_script(_user_script(_fill(_HANDLER, panel_url, NONCE=nonce)))

    def detach(self):
        """For good: the panel gets its bridge in a view of its own."""
        if self._host:
            self._manager.unregister_script_message_handler_in_world(_WORLD, _WORLD)
            self._manager.remove_all_scripts()
            self._host.leave()
            self._host = None
            self._is_panel = False

    def _refuse_window(self, _, action):
        """window.open, target=_blank: no second window in here."""
        url = action.get_request().get_uri()
        self.events.navigating(url, True, self.navigation.decide_window(url))

    def _refuse_download(self, _, download):
        download.cancel()
        self.events.download_refused(download.get_request().get_uri())

    def _refuse_permission(self, _, request):
        request.deny()
        return True

    def _refuse_files(self, _, request):
        request.cancel()
        return True

    def _refuse_certificate(self, _, url, certificate, errors):
        self.events.certificate_refused(url)
        return True

    def load(self, url):
        self._is_told_to_load = True
        self.widget.load_uri(url)

    def send(self, text):
        if self._is_panel:
            self.evaluate(_fill(_RECEIVE, self.navigation.panel_url, TEXT=text), None)

    def evaluate(self, script, done, world=None):
        def finish(view, task):
            try:
                value = view.evaluate_javascript_finish(task)
                answer = json.loads(value.to_json(0) or "null")
            except Exception:  # A page that is gone, or a script that throws.
                answer = None
            if done:
                done(answer)

        self.widget.evaluate_javascript(script, -1, world, None, None, finish)

    def show(self, title, width, height):
        self._window = Gtk.Window(title=title, default_width=width, default_height=height)
        self._window.connect("delete-event", self._closed_by_user)
        self._window.add(self.widget)
        self._window.show_all()

    def _closed_by_user(self, *_):
        if not self._is_closing:
            self.events.closed()

    def close(self):
        self._is_closing = True
        self.detach()
        self._context.disconnect(self._downloads)
        (self._window or self.widget).destroy()
