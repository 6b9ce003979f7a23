"""Views of WebKitGTK, driven by a test. See webview_driver.py."""

from webview_driver import Driver
from webkit_views import WebView

from gi.repository import Gdk, GLib, Gtk, WebKit2


class Engine:
    def __init__(self):
        self.contexts = {}

    def open(self, navigation, events, host, options):
        name = options.get("profile")
        if name and name not in self.contexts:
            self.contexts[name] = WebKit2.WebContext.new_ephemeral()
        frames = options.get("frames") or "'none'"
        view = WebView(navigation, events, host, self.contexts.get(name), frames)
        view.widget.connect("load-changed", lambda _, at: at == WebKit2.LoadEvent.FINISHED and events.finished())
        return view

    def forget(self, name):
        del self.contexts[name]

    def screenshot(self, widget, path):
        size = widget.get_allocation()
        picture = Gdk.pixbuf_get_from_window(widget.get_window(), 0, 0, size.width, size.height)
        return picture.savev(path, "png", [], [])

    def later(self, task):
        GLib.idle_add(lambda: task() and False)

    def run(self):
        Gtk.main()

    def quit(self):
        Gtk.main_quit()


Driver(Engine()).run()
