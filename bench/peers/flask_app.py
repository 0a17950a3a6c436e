"""The original design: Flask, a TTLCache of cachetools whose miss hook reads Redis, one lock.

Run by gunicorn with one worker process and two threads a core.
"""

import os
import threading

import cachetools
import flask
import redis

source = redis.Redis(host="127.0.0.1", port=int(os.environ["REDIS_PORT"]))


class ReadThroughCache(cachetools.TTLCache):
    """Holds values for a time, the least recently used go first, and what is missing is read from Redis."""

    def __missing__(self, key):
        value = source.get(key)
        if value is None:
            raise KeyError(key)
        self[key] = value
        return value


cache = ReadThroughCache(maxsize=int(os.environ["CACHE_MAXSIZE"]), ttl=float(os.environ["CACHE_TTL"]))
# A TTLCache is not safe under threads: each look-up moves the key. The lock is held while Redis is read, so fills take
# turns, as they do in the proxy with MAX_PARALLEL=1.
lock = threading.Lock()
app = flask.Flask(__name__)


@app.get("/get/<path:key>")
def get(key):
    try:
        with lock:
            value = cache[key]
    except KeyError:
        return flask.Response("no such key\n", status=404, mimetype="text/plain")
    return flask.Response(value, mimetype="text/plain")
