"""Files of a run folder: written whole or not at all, and lines that are appended."""

import json
import os


def write_atomic(path, data):
    """``data`` (bytes or text) is under ``path`` whole, or what was there before is."""
    if isinstance(data, str):
        data = data.encode("utf-8")
    temporary = "%s.%d.tmp" % (path, os.getpid())
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        try:
            os.unlink(temporary)
        except OSError:
            pass
        raise


def write_json(path, value):
    write_atomic(path, json.dumps(value, allow_nan=False, default=str))


def read_json(path, default=None):
    """The value of a JSON file; ``default`` where there is none."""
    try:
        with open(path, "rb") as file:
            return json.loads(file.read().decode("utf-8"))
    except FileNotFoundError:
        return default
