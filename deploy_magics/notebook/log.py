"""What this kernel has executed, in order: the unit is an execution, not a cell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from deploy_magics.notebook.history import Analysis, ExecutedCell
from deploy_magics.notebook.reading import read_cell


class ExecutionLog:
    """Follows one shell from ``install`` on; what it had run before is taken from its history."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self._cells: list[ExecutedCell] = []
        self._tags: dict[str, frozenset[str]] = {}
        self._running: tuple[str, str | None] | None = None
        self._installed = False
        self._analysis = Analysis(self._label)
        self._other: tuple[tuple[str, str | None], Analysis] | None = None

    @property
    def cells(self) -> Sequence[ExecutedCell]:
        """The executions so far, the one that is running left out."""
        return tuple(
            replace(cell, tags=self._tags.get(cell.cell_id or "", cell.tags))
            for cell in self._cells
        )

    @property
    def running(self) -> tuple[str, str | None] | None:
        """Source and id of the cell that is running, None between cells."""
        return self._running

    @property
    def labels(self) -> Mapping[int | None, str]:
        """Index to label, for ``Model.build``."""
        return {cell.index: cell.label for cell in self._cells}

    def install(self) -> None:
        """Starts to follow; a second call does nothing."""
        if self._installed:
            return
        self._installed = True
        if not self._cells:
            self._backfill()
        self.shell.events.register("pre_run_cell", self._before)
        self.shell.events.register("post_run_cell", self._after)

    def uninstall(self) -> None:
        """Stops to follow; what was seen stays."""
        if self._installed:
            self._installed = False
            self.shell.events.unregister("pre_run_cell", self._before)
            self.shell.events.unregister("post_run_cell", self._after)

    def tag(self, cell_id: str, tags: Iterable[str]) -> None:
        """Sets a cell's tags, as the front end has them; before or after it was executed."""
        self._tags[cell_id] = frozenset(tags)

    def analysis(self, entry: str) -> Analysis:
        """All that was executed, without earlier executions of the cell ``entry`` itself."""
        text, own = entry.strip(), self._running[1] if self._running else None

        def is_entry(cell: ExecutedCell) -> bool:
            same = cell.source.strip() == text or (own is not None and cell.cell_id == own)
            return same and bool(read_cell(cell.source).units)

        if not any(is_entry(cell) for cell in self._cells):
            return self._analysis
        if self._other is None or self._other[0] != (text, own):
            self._other = (text, own), Analysis(self._label)
        other = self._other[1]
        for cell in self._cells[other.seen :]:
            other.seen = cell.index + 1
            if not is_entry(cell):
                other.add(cell)
        return other

    def _label(self, index: int) -> str:
        return self._cells[index].label

    def _backfill(self) -> None:
        """Cells executed before ``install``; since IPython 9 the history says which raised."""
        sources = getattr(self.shell, "user_ns", {}).get("In", [""])
        history = getattr(self.shell, "history_manager", None)
        raw = getattr(history, "input_hist_raw", None) or sources
        failed = getattr(history, "exceptions", None) or {}
        current = getattr(self.shell, "execution_count", len(raw))
        for number, source in enumerate(raw[1:current], 1):
            self._add(source, number, succeeded=number not in failed)

    def _before(self, info: Any = None) -> None:
        source = getattr(info, "raw_cell", "") or ""
        cell_id = getattr(info, "cell_id", None)
        parent = self.shell.get_parent() if hasattr(self.shell, "get_parent") else None
        metadata = (parent or {}).get("metadata") or {}
        cell_id = cell_id or metadata.get("cellId")
        if cell_id and isinstance(metadata.get("tags"), (list, tuple)):
            self.tag(cell_id, [str(tag) for tag in metadata["tags"]])
        self._running = (source, cell_id)

    def _after(self, result: Any = None) -> None:
        source, cell_id = self._running or (None, None)
        self._running = None
        info = getattr(result, "info", None)
        source = getattr(info, "raw_cell", None) if source is None else source
        if not source:
            return
        if getattr(result, "error_before_exec", None) is not None:
            return  # it did not parse, so nothing of it ran
        error = getattr(result, "error_in_exec", None)
        self._add(
            source,
            getattr(result, "execution_count", None),
            succeeded=error is None,
            cell_id=cell_id or getattr(info, "cell_id", None),
            failed_line=_line_of(error),
        )

    def _add(self, source: str, count: int | None, **fields: Any) -> None:
        cell = ExecutedCell(len(self._cells), source, count, **fields)
        self._cells.append(cell)
        self._analysis.add(cell)


def _line_of(error: BaseException | None) -> int | None:
    """The line of the cell at which ``error`` left it."""
    step = error.__traceback__ if error is not None else None
    line = None
    while step is not None:
        name = step.tb_frame.f_code.co_filename
        if step.tb_frame.f_code.co_name == "<module>" and (
            "ipykernel" in name or "ipython" in name.lower()
        ):
            line = step.tb_lineno
        step = step.tb_next
    return line
