"""
Where a view may go. Python's standard library only, so that any host can take it.

Every address is compared in its parts (PROTOCOL.md section 4.1): one that only begins like another is another.
"""

import re
from urllib.parse import urlsplit

ALLOW = "allow"
BLOCK = "block"
# The answer of the authorization server: taken, and never connected to.
CAPTURE = "capture"
# Not here: in the user's own browser.
BROWSER = "browser"

_DEFAULT_PORTS = {"http": 80, "https": 443}
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
# Code, content, and what no server can be.
_NEVER = ("", "javascript", "data", "blob", "file", "about", "view-source", "filesystem")


def _parts(url):
    """Scheme, host, port, path and query; None for what no redirect can be."""
    if not isinstance(url, str):
        return None
    hierarchy = re.split("[?#]", url, maxsplit=1)[0]
    # What parsers mend in different ways.
    if re.search(r"[^!-~]|\\", hierarchy):
        return None
    try:
        split = urlsplit(url)
        port = split.port or _DEFAULT_PORTS.get(split.scheme)
    except ValueError:
        return None
    # A port with zeros before it is no port to some.
    if split.scheme in _NEVER or "@" in split.netloc or re.search(r":0", split.netloc.rpartition("]")[2]):
        return None
    if split.scheme in _DEFAULT_PORTS and not split.hostname:
        return None
    return split.scheme, split.hostname or "", port, _normal_path(split.path), split.query


def _normal_path(path):
    """RFC 3986 sections 6.2.2 and 6.2.3. An engine writes "/" where the author wrote nothing."""

    def decode(match):
        char = chr(int(match[1], 16))
        return char if re.match(r"[A-Za-z0-9._~-]", char) else match[0].upper()

    path = re.sub("%([0-9a-fA-F]{2})", decode, path) or "/"
    if not path.startswith("/"):
        return path
    out = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            del out[-1:]
        elif segment != ".":
            out.append(segment)
    if segments[-1] in (".", ".."):
        out.append("")
    return "/" + "/".join(out)


def is_redirect(url, redirect_uri):
    """Whether `url` is the redirect URI with an answer to it. A query of the redirect URI has to be there first."""
    came, expected = _parts(url), _parts(redirect_uri)
    if came is None or expected is None or "#" in redirect_uri:
        return False
    *place, query = expected
    return list(came[:4]) == place and (not query or f"{came[4]}&".startswith(f"{query}&"))


def is_web(url):
    """https, or http that does not leave this computer."""
    parts = _parts(url)
    return parts is not None and (parts[0] == "https" or (parts[0] == "http" and parts[1] in _LOOPBACK))


def is_same_page(url, page_url):
    return url.split("#")[0] == page_url.split("#")[0]


class PanelNavigation:
    """The panel stays the panel. What it links to opens in the browser."""

    def __init__(self, panel_url):
        self.panel_url = panel_url

    def decide(self, url, is_main_frame):
        if not is_main_frame:
            return ALLOW if is_web(url) or url in ("about:blank", "about:srcdoc") else BLOCK
        return ALLOW if is_same_page(url, self.panel_url) else self.decide_window(url)

    def decide_window(self, url):
        return BROWSER if is_web(url) else BLOCK

    def is_reserved(self, url):
        return False


class SignInNavigation:
    """The pages of an authorization server, until one of them goes to the redirect URI."""

    def __init__(self, redirect_uri):
        self.redirect_uri = redirect_uri

    def decide(self, url, is_main_frame):
        if self.is_reserved(url):
            # Anybody can put a frame of any address into a page.
            return CAPTURE if is_main_frame else BLOCK
        if is_web(url) or url == "about:blank" or (url == "about:srcdoc" and not is_main_frame):
            return ALLOW
        return BLOCK

    # A page of somebody else's opens nothing on this computer.
    def decide_window(self, url):
        return BLOCK

    def is_reserved(self, url):
        return is_redirect(url, self.redirect_uri)
