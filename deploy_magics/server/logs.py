"""The server's own log: one JSON object a line on stderr, with nothing secret in it."""

from __future__ import annotations

import json
import logging
import re
import sys

# what tokens of ours, id tokens and query secrets look like, should one get into a message
_SECRETS = re.compile(
    r"dm_[A-Za-z0-9_-]{20,}|eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+"
    r"|(?<=code=)[^\s&\"]+|(?<=token=)[^\s&\"]+|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"
)


def scrubbed(text: str) -> str:
    return _SECRETS.sub("***", text)


class JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        line = {
            "at": round(record.created, 3),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": scrubbed(text),
        }
        return json.dumps(line)


def configure_logs(level: int = logging.INFO) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger("deploy_magics")
    root.handlers[:] = [handler]
    root.setLevel(level)
    root.propagate = False
    uvicorn = logging.getLogger("uvicorn")
    uvicorn.handlers[:] = [handler]
    uvicorn.setLevel(logging.WARNING)
    uvicorn.propagate = False
