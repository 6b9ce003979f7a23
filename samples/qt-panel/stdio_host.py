#!/usr/bin/env python3
"""
This host without a view, for `node adapters/webview/conformance.mjs -- python3 samples/qt-panel/stdio_host.py`: one
message a line on stdin and stdout, and the control lines of PROTOCOL.md section 9 in place of a view and a browser.
"""

import json
import queue
import sys
import threading

from mortise_host import Host
from navigation import ALLOW, CAPTURE, SignInNavigation

DECISIONS = {ALLOW: "allow", CAPTURE: "captured"}


class Program:
    """Says what it would show."""

    def open_browser(self, url):
        say({"control": "browser", "url": url})

    def open_view(self, visit, url, redirect_uri):
        say({"control": "view", "visit": visit, "url": url})

    def close_view(self, visit):
        pass


def say(line):
    write(json.dumps(line))


def write(text):
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main():
    tasks = queue.Queue()
    host = Host("Sample host", send=write, later=tasks.put, program=Program())

    def control(line):
        kind = line["control"]
        if kind == "load":
            say({"control": "nonce", "nonce": host.load()})
        elif kind == "leave":
            host.leave()
        elif kind == "closeView":
            host.view_closed(line["visit"])
        elif kind == "navigation":
            place = host.place_of(line["visit"])
            verdict = SignInNavigation(place).decide(line["url"], line["mainFrame"]) if place else None
            say({"control": "navigation", "n": line["n"], "decision": DECISIONS.get(verdict, "refuse")})
            if verdict == CAPTURE:
                host.redirected(line["visit"], line["url"])

    def take(text):
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            line = None
        if isinstance(line, dict) and "control" in line:
            control(line)
        else:
            host.receive(text)

    def read():
        for text in sys.stdin:
            tasks.put(lambda text=text: take(text.rstrip("\n")))
        tasks.put(None)

    say({"control": "nonce", "nonce": host.load()})
    threading.Thread(target=read, daemon=True).start()
    while task := tasks.get():
        task()


if __name__ == "__main__":
    sys.stdin.reconfigure(encoding="utf-8")
    sys.stdout.reconfigure(encoding="utf-8")
    main()
