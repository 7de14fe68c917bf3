"""The model's traceback, with the notebook's cells and lines in place of the packed file's."""

import linecache
import os
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
LONGEST = 500
"""Characters of an error's message, which is one line; its text has all of it."""

DEEPEST = 3
"""Frames shown of an error that no line of the model has a part in."""


class Explained(Exception):
    """An error whose message says all: where it was raised is of no use to anybody."""


class Origins:
    """Where each line of the model's files was written.

    ``lines``: for each file (relative to the model's folder) a list with ``[label, line]`` or None
    for each of its lines.
    """

    def __init__(self, folder, lines):
        self.folder = os.path.realpath(folder)
        self.lines = lines or {}

    def inside(self, filename):
        return os.path.realpath(filename).startswith(self.folder + os.sep)

    def find(self, filename, line):
        """(label, line) as the author knows it; the file's own name where nothing is known."""
        if not self.inside(filename):
            return filename, line
        name = os.path.relpath(os.path.realpath(filename), self.folder).replace(os.sep, "/")
        origins = self.lines.get(name) or ()
        if line and 0 < line <= len(origins) and origins[line - 1]:
            return origins[line - 1][0], origins[line - 1][1]
        return name, line


class Failure:
    """An exception as it is shown: its text, and the cell and line of the model it came from."""

    def __init__(self, error, origins):
        self.cell, self.line = None, None
        self.explained = isinstance(error, Explained)
        if self.explained:
            self.message = str(error)
            self.text = self.message + "\n"
            return
        last = traceback.format_exception_only(type(error), error)[-1:]
        self.message = ("".join(last).strip().splitlines() or [""])[0][:LONGEST]
        self.text = "".join(self._format(error, origins, set()))

    def _format(self, error, origins, seen):
        seen.add(id(error))
        cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if cause is not None and id(cause) not in seen:
            for text in self._format(cause, origins, seen):
                yield text
            yield "\nDuring handling of the above exception, another exception occurred:\n\n"
        yield "Traceback (most recent call last):\n"
        frames = traceback.extract_tb(error.__traceback__)
        mine = [index for index, frame in enumerate(frames) if origins.inside(frame.filename)]
        others = [frame for frame in frames if not frame.filename.startswith(HERE)] or frames
        if isinstance(error, SyntaxError) and not mine:
            others = []
        for frame in frames[mine[0] :] if mine else others[-DEEPEST:]:
            if mine and frame.filename.startswith(HERE):
                continue
            label, line = origins.find(frame.filename, frame.lineno)
            if origins.inside(frame.filename):
                self.cell, self.line = label, line
                place = "%s, line %s" % (label, line)
            else:
                place = 'File "%s", line %s' % (label, line)
            yield "  %s, in %s\n" % (place, frame.name)
            source = linecache.getline(frame.filename, frame.lineno).strip()
            if source:
                yield "    %s\n" % source
        if isinstance(error, SyntaxError) and error.filename and origins.inside(error.filename):
            self.cell, self.line = origins.find(error.filename, error.lineno)
            yield "  %s, line %s\n" % (self.cell, self.line)
            if error.text:
                yield "    %s\n" % error.text.strip()
            yield "%s: %s\n" % (type(error).__name__, error.msg)
            return
        for text in traceback.format_exception_only(type(error), error):
            yield text
