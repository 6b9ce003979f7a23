"""
Lets another program play the user: it hears what happens as JSON, a line each, and says what to do in a view.

in: {"id": 1, "view": "panel", "script": "document.title"}     out: {"id": 1, "result": "…"} and {"event": "…", "view": "…"}
"""

import json
import sys
import threading


def say(line):
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def show_browser(url):
    say({"event": "browser", "url": url})
    return True


def obey(program, later, quit):
    """Until stdin ends, which ends the program."""

    def evaluate(command):
        view = program.views.get(command["view"])
        if view:
            view.evaluate(command["script"], lambda result: say({"id": command["id"], "result": result}))
        else:
            say({"id": command["id"], "result": None})

    def read():
        for line in sys.stdin:
            command = json.loads(line)
            later(lambda command=command: evaluate(command))
        later(quit)

    threading.Thread(target=read, daemon=True).start()
