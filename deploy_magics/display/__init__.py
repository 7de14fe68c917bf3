"""What is shown: as a widget in a notebook, as text in a terminal, or not at all."""

from .ask import can_answer, confirm, secret
from .progress import Progress, progress
from .surface import announce, mode, shell, show
from .table import Note, Table, escape, when
from .widgets import use_widget

__all__ = [
    "Note",
    "Progress",
    "Table",
    "announce",
    "can_answer",
    "confirm",
    "escape",
    "mode",
    "progress",
    "secret",
    "shell",
    "show",
    "use_widget",
    "when",
]
