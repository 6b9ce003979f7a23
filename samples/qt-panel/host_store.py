"""Storage for a panel that has none (PROTOCOL.md section 5)."""

from failure import Failure, InvalidParams


class MemoryStore:
    """Ends with the program. Where sign-ins are to last, put a keychain here: these four functions."""

    def __init__(self):
        self._values = {}

    def get(self, key):
        return self._values.get(key)

    def set(self, key, value):
        self._values[key] = value

    def remove(self, key):
        self._values.pop(key, None)

    def ready(self):
        pass


class StoreService:
    def __init__(self, store, notify):
        self._store = store
        self._notify = notify
        self.watched = set()
        self.methods = self._methods()

    def _methods(self):
        def get(params, call):
            call.done({"value": self._store.get(_key(params))})

        def put(params, call):
            value = params.get("value")
            if not isinstance(value, str) or len(value) > 262_144:
                raise InvalidParams("value")
            self._store.set(_key(params), value)
            call.done({})
            self._changed(params["key"])

        def remove(params, call):
            self._store.remove(_key(params))
            call.done({})
            self._changed(params["key"])

        def ready(params, call):
            self._store.ready()
            call.done({})

        def watch(params, call):
            if len(self.watched) >= 1000:
                raise Failure("rate_limited", status=0, retryAfterMs=None)
            self.watched.add(_key(params))
            call.done({})

        def unwatch(params, call):
            self.watched.discard(_key(params))
            call.done({})

        functions = {"get": get, "set": put, "remove": remove, "ready": ready, "watch": watch, "unwatch": unwatch}
        return {f"store.{name}": function for name, function in functions.items()}

    def _changed(self, key):
        if key in self.watched:
            self._notify("store.changed", {"key": key})


def _key(params):
    key = params.get("key")
    if not isinstance(key, str) or len(key) > 1024:
        raise InvalidParams("key")
    return key
