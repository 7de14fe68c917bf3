"""A cell's text to statements: magics taken out by IPython's own parser, no line lost track of."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from IPython.core.inputtransformer2 import TransformerManager

from deploy_magics.notebook import knowledge

OWN_CELL_MAGICS = frozenset({"backtest", "deploy"})
"""Their body runs in the model's process, in the kernel only with ``--run``."""

_PROMPT = re.compile(r"\s*(In \[|>>>|\.\.\. )")
_MAGIC_CALLS = frozenset(
    {"run_line_magic", "run_cell_magic", "system", "getoutput", "set_next_input", "magic"}
)
_BLOCKS = (ast.stmt, ast.ExceptHandler, ast.match_case)
_ERRORS = (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError)


@dataclass(frozen=True, eq=False)
class Unit:
    """One statement at the top of a cell.

    Attributes:
        node: its tree; None once the statement was gone through, for trees are large.
        lines: its text, without magics; ``numbers`` gives for each the 1-based line of the cell.
        refused: why the names it binds cannot be shipped, empty where they can.
        dropped: magics inside it that are left out of the text.
        lead: the comments and blank lines in front of it, each with its line of the cell.
        name: of the function or class it defines. ``root``: ``xs`` of ``xs.append(1)``.
    """

    node: ast.stmt | None
    lines: tuple[str, ...]
    numbers: tuple[int, ...]
    refused: str = ""
    dropped: tuple[str, ...] = ()
    awaits: bool = False
    lead: tuple[tuple[str, int], ...] = ()
    name: str = ""
    root: str = ""
    future: bool = False
    main_guard: bool = False

    @property
    def span(self) -> tuple[int, int]:
        """First and last line in the cell."""
        return self.numbers[0], self.numbers[-1]


@dataclass(frozen=True)
class Magic:
    """A magic that was left out. ``before`` counts the statements in front of it."""

    name: str
    text: str
    line: int
    before: int
    body: str = ""


@dataclass(frozen=True, eq=False)
class Cell:
    """What a cell holds. ``error``: why it could not be read; such a cell is never passed over."""

    units: tuple[Unit, ...] = ()
    magics: tuple[Magic, ...] = ()
    error: str = ""
    hidden: frozenset[str] = frozenset()
    """Names that only the body of one of our own cell magics binds, which did not run here."""


@dataclass
class _Reading:
    units: list[Unit] = field(default_factory=list)
    magics: list[Magic] = field(default_factory=list)
    hidden: set[str] = field(default_factory=set)


@lru_cache(maxsize=64)
def read_cell(source: str, *, entry: bool = False) -> Cell:
    """The statements of a cell; of an ``entry`` the body of our own cell magic too."""
    reading = _Reading()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the kernel has told of them already
            plain = source.replace("\r\n", "\n").replace("\r", "\n")
            text, numbers, tree = _transform(plain)
            _read(text, numbers, reading, entry, tree)
    except _ERRORS as error:
        return Cell(error=_why(error))
    return Cell(tuple(reading.units), tuple(reading.magics), "", frozenset(reading.hidden))


def _why(error: Exception) -> str:
    if isinstance(error, SyntaxError):
        return f"line {error.lineno or 1}: {error.msg}"
    if isinstance(error, (RecursionError, MemoryError)):
        return "it is nested too deeply"
    return str(error)[:200]


# IPython's syntax


def _transform(source: str) -> tuple[str, Sequence[int], ast.Module | None]:
    """Plain Python, for each of its lines the line it comes from, and its tree if it is at hand."""
    if "\0" in source:
        raise ValueError("it holds a null byte")
    source.encode("utf-8")
    lines = source.split("\n")
    if not _PROMPT.match(source):
        try:
            return source, range(1, len(lines) + 1), ast.parse(source)
        except _ERRORS:
            pass
    text, numbers = _transform_by_ipython(source)
    return text, numbers, None


def _transform_by_ipython(source: str) -> tuple[str, list[int]]:
    manager = TransformerManager()
    text = source if source.endswith("\n") else source + "\n"
    lines = text.splitlines(keepends=True)
    numbers = list(range(1, len(lines) + 1))
    steps: list[Any] = [
        *manager.cleanup_transforms,
        *manager.line_transforms,
    ]
    for transform in steps:
        lines, numbers = _follow(lines, transform(lines), numbers)
    for _ in range(500):
        changed, after = manager.do_one_token_transform(lines)
        if not changed:
            break
        lines, numbers = _follow(lines, after, numbers)
    return "".join(lines), numbers


def _follow(before: list[str], after: list[str], numbers: list[int]) -> tuple[list[str], list[int]]:
    """The line numbers after a step that replaced one run of lines by another."""
    if len(before) == len(after):
        return after, numbers
    if not after:
        return after, []
    shortest = min(len(before), len(after))
    tail = 0
    while tail < shortest and before[-1 - tail] == after[-1 - tail]:
        tail += 1
    head = 0
    while head < shortest - tail and before[head] == after[head]:
        head += 1
    middle = len(after) - head - tail
    first = numbers[head] if head < len(numbers) else numbers[-1]
    return after, numbers[:head] + [first] * middle + numbers[len(numbers) - tail :]


def _magic_call(node: ast.AST) -> tuple[str, list[str]] | None:
    """``(kind, arguments)`` of ``get_ipython().run_line_magic("time", "x")`` and its like."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return None
    owner = node.func.value
    if node.func.attr not in _MAGIC_CALLS or not isinstance(owner, ast.Call):
        return None
    if not isinstance(owner.func, ast.Name) or owner.func.id != "get_ipython":
        return None
    texts = [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
    return node.func.attr, [text for text in texts if isinstance(text, str)]


# statements


def _is_unsure(tree: ast.Module, text: str) -> bool:
    """Whether the text may parse and yet not compile; such a cell has never run."""
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.Return, ast.Break, ast.Continue, ast.Nonlocal)):
            return True
        if isinstance(node, (ast.Expr, ast.Assign)) and "yield" in text:
            return True
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            inner = [child for child in ast.iter_child_nodes(node) if isinstance(child, _BLOCKS)]
            waiting += inner
    return False


def _read(
    text: str,
    numbers: Sequence[int],
    reading: _Reading,
    entry: bool,
    tree: ast.Module | None = None,
) -> None:
    if tree is None:
        tree = ast.parse(text)
    if _is_unsure(tree, text):
        compile(text, "<cell>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    lines = text.split("\n")
    before = 0
    for node in tree.body:
        start, before = before, node.end_lineno or node.lineno
        call = _magic_call(node.value) if isinstance(node, ast.Expr) else None
        if call is not None:
            _read_magic(call, numbers[min(node.lineno, len(numbers)) - 1], reading, entry)
        else:
            reading.units.append(_unit(node, lines, numbers, start))


def _read_magic(call: tuple[str, list[str]], line: int, reading: _Reading, entry: bool) -> None:
    kind, texts = call
    if kind == "run_cell_magic" and len(texts) == 3:
        _read_cell_magic(texts, line, reading, entry)
        return
    if kind in ("run_line_magic", "magic") and texts:
        name, rest = texts[0], " ".join(texts[1:])
        if name in knowledge.RUNNING_LINE_MAGICS and rest.strip():
            code = (
                re.sub(r"^(\s*-\w+(\s+\S+)?)*\s*(?=\S)", "", rest, count=1)
                if rest.startswith("-")
                else rest
            )
            body, inner, tree = _transform(code)
            _read(body, [line] * len(inner), reading, entry, tree)
            return
        reading.magics.append(Magic(name, f"%{name} {rest}".rstrip(), line, len(reading.units)))
    elif kind in ("system", "getoutput"):
        command = texts[0].strip() if texts else ""
        reading.magics.append(Magic("!", f"!{command}", line, len(reading.units)))


def _read_cell_magic(texts: list[str], line: int, reading: _Reading, entry: bool) -> None:
    name, options, body = texts
    own = name in OWN_CELL_MAGICS
    runs = name in knowledge.RUNNING_CELL_MAGICS or (own and "--run" in options.split())
    if not runs and not (own and entry):
        text = f"%%{name} {options}".rstrip()
        reading.magics.append(Magic(f"%{name}", text, line, len(reading.units), body))
        if own:
            inner = read_cell(body)
            reading.hidden |= {
                n for unit in inner.units if unit.node for n in stored_names(unit.node)
            }
        return
    code, numbers, tree = _transform(body)
    _read(code, [line + number for number in numbers], reading, entry, tree)
    if name == "capture" and (target := options.split()[:1]) and not target[0].startswith("-"):
        assign = ast.parse(f"{target[0]} = None").body[0]
        refused = f"it comes from the magic %%{name}"
        reading.units.append(Unit(assign, (f"{target[0]} = None",), (line,), refused))


def _unit(node: ast.stmt, lines: list[str], numbers: Sequence[int], before: int) -> Unit:
    first = min([node.lineno, *(item.lineno for item in getattr(node, "decorator_list", []))])
    last = node.end_lineno or first
    texts = lines[first - 1 : last]
    end = len(texts[-1].encode()[: node.end_col_offset or 0].decode("utf-8", "ignore"))
    if not texts[-1][end:].lstrip().startswith("#"):
        texts[-1] = texts[-1][:end]
    lead = [(lines[at], numbers[at]) for at in range(before, first - 1) if at < len(numbers)]
    if first == node.lineno:
        texts[0] = texts[0].encode()[node.col_offset :].decode("utf-8", "ignore")
    else:
        texts[0] = texts[0].lstrip()
    where = [numbers[min(number, len(numbers)) - 1] for number in range(first, last + 1)]
    refused, dropped = "", []
    whole = "\n".join(texts)
    for part, parent in _magics_in(node) if "get_ipython" in whole else ():
        kind, words = _magic_call(part) or ("", [])
        if isinstance(parent, ast.Expr):
            texts = _replace(texts, parent, first, node)
            dropped.append(" ".join(words))
        else:
            refused = _origin(kind, words)
    awaits = ("await" in whole or "async" in whole) and _awaits(node)
    if awaits and not refused:
        refused = "it comes from a top-level await, which a program cannot have"
    name = getattr(node, "name", None)
    return Unit(
        node,
        tuple(texts),
        tuple(where),
        refused,
        tuple(dropped),
        awaits,
        tuple(lead),
        name=name if isinstance(name, str) else "",
        root=_root_name(node),
        future=isinstance(node, ast.ImportFrom) and node.module == "__future__",
        main_guard=_is_main_guard(node),
    )


def _origin(kind: str, words: list[str]) -> str:
    if kind in ("system", "getoutput"):
        return f"it comes from the shell (!{words[0] if words else ''}), a magic of the notebook"
    sign = "%%" if kind == "run_cell_magic" else "%"
    return f"it comes from the magic {sign}{words[0] if words else ''}"


def _magics_in(node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Magic calls below ``node``, each with the node around it."""
    waiting = [node]
    while waiting:
        parent = waiting.pop()
        for child in ast.iter_child_nodes(parent):
            if _magic_call(child) is not None:
                yield child, parent
            waiting.append(child)


def _replace(texts: list[str], statement: ast.stmt, first: int, node: ast.stmt) -> list[str]:
    """``pass`` in place of a statement inside ``node``, on as many lines."""
    top, bottom = statement.lineno - first, (statement.end_lineno or statement.lineno) - first
    shift = node.col_offset if top == 0 else 0
    start = statement.col_offset - shift
    result = list(texts)
    result[top] = (
        texts[top][:start] + "pass" + texts[bottom][(statement.end_col_offset or 0) - shift :]
    )
    for row in range(top + 1, bottom + 1):
        result[row] = ""
    return result


def _awaits(node: ast.AST) -> bool:
    """Whether the statement itself, not a function in it, awaits."""
    waiting = [node]
    while waiting:
        part = waiting.pop()
        if isinstance(part, (ast.Await, ast.AsyncFor, ast.AsyncWith)):
            return True
        if not isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            waiting += ast.iter_child_nodes(part)
    return False


def stored_names(node: ast.AST) -> set[str]:
    """The names that a statement binds, at whatever depth: for messages."""
    names = {
        part.id
        for part in ast.walk(node)
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
    }
    name = getattr(node, "name", None)
    return names | ({name} if isinstance(name, str) else set())


def _root_name(node: ast.AST | None) -> str:
    """``xs`` of ``xs.append(1)`` and of ``xs[0] = 1``."""
    while node is not None and not isinstance(node, ast.Name):
        inner = [getattr(node, name, None) for name in ("value", "func", "target")]
        if isinstance(node, (ast.Assign, ast.Delete)):
            inner = [node.targets[0]]
        node = next((part for part in inner if isinstance(part, ast.AST)), None)
    return node.id if node is not None else ""


def _is_main_guard(node: ast.stmt) -> bool:
    if not isinstance(node, ast.If) or not isinstance(node.test, ast.Compare):
        return False
    sides = [node.test.left, *node.test.comparators]
    return any(isinstance(side, ast.Name) and side.id == "__name__" for side in sides)
