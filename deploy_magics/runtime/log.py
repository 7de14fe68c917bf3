"""What the model prints, kept in a file that cannot fill the disk."""

import os

from .files import write_atomic

CUT = b"\n[the output limit of %d bytes was met: what follows is not kept]\n"


class CappedLog:
    """``output.log`` of at most ``limit`` bytes.

    A run that must not end for its chatter *rotates*: the older half goes to ``output.log.1`` and
    ``output.base`` says at which offset of all that was printed ``output.log`` now begins.
    """

    def __init__(self, folder, limit, rotate):
        self.path = os.path.join(folder, "output.log")
        self.limit = max(1024, int(limit))
        self.rotate = rotate
        self.full = False
        self._base_path = os.path.join(folder, "output.base")
        self._base = 0
        if os.path.exists(self._base_path):
            with open(self._base_path) as file:
                self._base = int(file.read() or 0)
        self._open()

    def _open(self):
        self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._size = os.fstat(self._descriptor).st_size

    def write(self, data):
        try:
            self._write(data)
        except OSError:  # the disk is full: the run goes on, its words are lost
            pass

    def _write(self, data):
        if self.full:
            return
        if not self.rotate and self._size + len(data) > self.limit:
            self._append(data[: max(0, self.limit - self._size)] + CUT % self.limit)
            self.full = True
            return
        self._append(data)
        if self.rotate and self._size > self.limit // 2:
            os.close(self._descriptor)
            self._base += self._size
            os.replace(self.path, self.path + ".1")
            write_atomic(self._base_path, str(self._base))
            self._open()

    def _append(self, data):
        while data:
            written = os.write(self._descriptor, data)
            self._size += written
            data = data[written:]

    def close(self):
        os.close(self._descriptor)
