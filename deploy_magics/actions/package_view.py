"""How a model is shown before it is shipped."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..display import escape
from ..display.table import clean
from ..model import Model


@dataclass(frozen=True, repr=False)
class Package:
    """A model as it would be shipped; ``.model`` is the model itself."""

    model: Model
    notes: tuple[str, ...] = ()
    changes: Sequence[str] | None = None

    @property
    def tree(self) -> list[tuple[str, int]]:
        """The files below ``model/`` and their bytes."""
        return [(name, _size(contents)) for name, contents in sorted(self.model.files.items())]

    @property
    def statements(self) -> list[tuple[str, str, str]]:
        """(where it comes from, why it is in, its text), in the order of the main script."""
        return list(_statements(self.model))

    @property
    def reasons(self) -> dict[str, str]:
        """Why each requirement is in, where they were found and not given."""
        return dict(self.model.inferred.reasons) if self.model.inferred else {}

    def __repr__(self) -> str:
        return "\n".join(clean(line) for line in self._lines()).rstrip() + "\n"

    def _lines(self) -> Iterator[str]:
        model = self.model
        yield f"{model.name} ({model.manifest.type}, Python {model.manifest.python_version})"
        yield "model/"
        for name, size in self.tree:
            yield f"  {name:<30} {_bytes(size):>9}"
        yield f"digest {model.digest[:16]}"
        yield ""
        for where, why, text in self.statements:
            yield f"# {where}: {why}" if why else f"# {where}"
            yield text
        yield ""
        yield "requirements.txt"
        for line in model.requirements:
            yield f"  {line:<30} {self._reason(line)}".rstrip()
        for warning in model.warnings:
            yield f"! {warning}"
        for suggestion in model.suggestions:
            yield f"? {_suggested(suggestion)}"
        if self.changes is not None:
            yield ""
            yield from self.changes or ["Nothing differs from that version."]
        yield from self.notes

    def _reason(self, line: str) -> str:
        return next((why for name, why in self.reasons.items() if _same(name, line)), "")

    def _repr_html_(self) -> str:
        model, manifest = self.model, self.model.manifest
        parts = [
            f"<div><b>{escape(model.name)}</b> ({escape(manifest.type)}, "
            f"Python {escape(manifest.python_version)}), digest <code>{model.digest[:16]}</code>"
            "</div>",
            _details("Files", self._files()),
            _details("Main script, and why each statement is in it", self._source(), opened=True),
            _details("Requirements", self._requirements()),
        ]
        if self.changes is not None:
            shown = "\n".join(self.changes) or "Nothing differs from that version."
            parts.append(_details("Changes", f"<pre>{escape(shown)}</pre>", opened=True))
        parts += [f"<div>⚠ {escape(warning)}</div>" for warning in model.warnings]
        parts += [f"<div>→ {escape(_suggested(text))}</div>" for text in model.suggestions]
        parts += [f"<div>{escape(note)}</div>" for note in self.notes]
        return "".join(parts)

    def _files(self) -> str:
        rows = "".join(
            f"<tr><td style='text-align:left'>model/{escape(name)}</td>"
            f"<td style='text-align:right'>{_bytes(size)}</td></tr>"
            for name, size in self.tree
        )
        return f"<table>{rows}</table>"

    def _source(self) -> str:
        rows = "".join(
            "<tr><td style='text-align:left;vertical-align:top'>"
            f"<pre style='margin:0'>{escape(text)}</pre></td>"
            "<td style='text-align:left;vertical-align:top;opacity:.75'>"
            f"{escape(where)}<br>{escape(why)}</td></tr>"
            for where, why, text in self.statements
        )
        return f"<table>{rows}</table>"

    def _requirements(self) -> str:
        rows = "".join(
            f"<tr><td style='text-align:left'><code>{escape(line)}</code></td>"
            f"<td style='text-align:left;opacity:.75'>{escape(self._reason(line))}</td></tr>"
            for line in self.model.requirements
        )
        return f"<table>{rows}</table>"


def _statements(model: Model) -> Iterator[tuple[str, str, str]]:
    """The main script in pieces of one origin and one reason."""
    name = model.manifest.main_path
    lines = model.read(name).decode("utf-8", "replace").splitlines()
    origins = list(model.origins.get(name, ()))
    if not origins:
        yield name, "", "\n".join(lines)
        return
    why = _whys(model)
    piece: list[str] = []
    last: tuple[str, str] | None = None
    for number, text in enumerate(lines):
        origin = origins[number] if number < len(origins) else None
        if origin is None:
            key = last or ("written by us", "")
        elif last is not None and last[0] == origin[0] and number + 1 not in why:
            key = last  # an empty line or a comment between two statements
        else:
            key = (origin[0], why.get(number + 1, ""))
        if last is not None and key != last:
            yield (*last, "\n".join(piece).strip("\n"))
            piece = []
        last = key
        piece.append(text)
    if last is not None:
        yield (*last, "\n".join(piece).strip("\n"))


def _whys(model: Model) -> dict[int, str]:
    """Why each line of the main script is in it, by line."""
    found: dict[int, str] = {}
    slice_ = model.slice
    if slice_ is None:
        return found
    for number, (cell, line) in enumerate(slice_.origins, 1):
        for reason in getattr(slice_, "reasons", ()):
            if reason.cell == cell and reason.lines[0] <= line <= reason.lines[1]:
                found[number] = str(reason.why)
                break
    return found


def _details(title: str, body: str, opened: bool = False) -> str:
    mark = " open" if opened else ""
    return f"<details{mark}><summary>{escape(title)}</summary>{body}</details>"


def _suggested(text: str) -> str:
    return text if " " in text else f"{text} is read by the code: --include {text} takes it along."


def _same(name: str, line: str) -> bool:
    return re.split(r"[<>=!~\[; ]", line)[0].lower() == re.split(r"[<>=!~\[; ]", name)[0].lower()


def _size(contents: bytes | Path) -> int:
    return len(contents) if isinstance(contents, bytes) else contents.stat().st_size


def _bytes(size: int) -> str:
    if size < 1024:
        return f"{size} B"
    return f"{size / 1024:.1f} kB" if size < 1 << 20 else f"{size / (1 << 20):.1f} MB"
