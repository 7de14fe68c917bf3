"""Generated notebooks: the slice alone computes what the notebook computed, and no less would do.

Every value carries the labels of all that went into it, so that leaving out any statement that
counts changes the result or raises.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy_magics.notebook import Slice, slice_cells

VALUES = ("a", "b", "c")  # immutable: tuples of labels
LISTS = ("xs", "ys")
DICTS = ("d", "e")
FUNCTIONS = ("f", "g")
OBJECTS = ("o", "p")
KINDS = {"vw": VALUES, "lm": LISTS, "de": DICTS, "fh": FUNCTIONS, "oq": OBJECTS}

PRELUDE = [
    "a = ('a0',)",
    "b = ('b0',)",
    "c = ('c0',)",
    "xs = ['x0']",
    "ys = ['y0']",
    "d = {'d0': 0}",
    "e = {'e0': 0}",
    "def f(v): return ('f0', v)",
    "def g(v): return ('g0', v)",
    "class C:\n    def __init__(self, v): self.v = [('C', v)]\n"
    "    def put(self, v): self.v.append(('put', v))\n"
    "    def look(self): return ('look', *self.v)",
    "o = C('o0')",
    "p = C('p0')",
    "def counter():\n    n = 0\n    def tick():\n        nonlocal n\n        n += 1\n"
    "        return n\n    return tick",
    "tick = counter()",
    "it = iter(range(100))",
]

STATEMENTS = [
    "{v} = ('{i}', {w})",
    "{v} = ('{i}',)",
    "{v} += ('{i}',)",
    "{v} = ('{i}', *{l})",
    "{v} = ('{i}', str({d}))",
    "{v} = {f}({w})",
    "{v} = ('{i}', {f}({w}), {f}({w}))",
    "{v} = tuple({f}(x) for x in {l})",
    "{l} = ['{i}', {w}]",
    "{l} = [*{l}, '{i}']",
    "{l}.append(('{i}', {w}))",
    "{l} += [('{i}', {w})]",
    "{l}[0] = ('{i}', {l}[0])",
    "{d} = {{'{i}': {w}}}",
    "{d}['{i}'] = {w}",
    "{d}['{i}'] = {l}",
    "{d}.update({{'{i}': {w}}})",
    "def {f}(v): return ('{i}', v)",
    "def {f}(v): return ('{i}', v, {w})",
    "def {f}(v, k={w}): return ('{i}', v, k)",
    "def {f}(v): return ('{i}', v, str({l}))",
    "{f} = lambda v: ('{i}', v, {w})",
    "{f}({w})",
    "{v} = ('{i}', {f}({w}))",
    "for x in {l}[:3]: {v} = ('{i}', {v}, x)",
    "if {v}: {w} = ('{i}', {v}, {w})",
    "{o} = C({w})",
    "{o}.put(('{i}', {w}))",
    "{v} = ('{i}', {o}.look())",
    "{v} = ('{i}', tick())",
    "tick()",
    "tick = counter()",
    "next(it)",
    "{v} = ('{i}', next(it))",
    "print({v}, {l}, {d})",
    "with_{i} = [str(x) for x in {l} if x]",
    "try:\n    {v} = ('{i}', {w})\nexcept NameError:\n    raise",
    "({v} := ('{i}', {w}))",
    "del {v}\n{v} = ('{i}',)",
]

TARGETS = ["a", "b", "xs", "ys", "d", "e", "f(a)", "o.look()", "tick()", "next(it)", "f(g(b))"]


# These may come to nothing (`xs = ys`, then `ys = xs`), or do more than the target shows.
ALIASES = ["{v} = {w}", "{v}, {w} = {w}, {v}", "{l} = {m}", "{d} = {e}", "{f} = {h}", "{o} = {q}"]
ALIASES += ["def {f}(v):\n    {l}.append(('{i}', v))\n    return ('{i}', v)"]
ALIASES += ["def {f}(v):\n    global {w}\n    {w} = ('{i}', v, {w})\n    return ('r{i}', v)"]
ALIASES += ["{o}.extra{i} = {w}\n{o}.v.append('e{i}')"]
ALIASES += ["{l} = list({m})", "{d} = dict({e})", "{l}.extend({m}[:1])", "({v} := {w})"]

# The rest of the language, in ways that may come to nothing too.
WIDER = [
    "match {w}:\n    case (first, *_): {v} = ('{i}', first)\n    case _: {v} = ('none{i}',)",
    "match {d}:\n    case {{'d0': got, **more}}: {v} = ('{i}', got, str(more))\n    case _: pass",
    "match {o}:\n    case C(v=[head, *_]) if {w}: {v} = ('{i}', head)",
    "if (n{i} := len({l})) > 1: {v} = ('{i}', n{i})",
    "{v} = tuple(y for x in {l} if (y := ('{i}', x)))\n{l}.append(('y', y))",
    "while len({l}) < 3:\n    {l}.append(('{i}', {w}))\nelse:\n    {v} = ('{i}', {v})",
    "for k{i}, x in enumerate({l}):\n    if k{i}: break\n    {v} = ('{i}', x, {w})",
    "def deco{i}(g): return lambda v: ('{i}', g(v), {w})\n@deco{i}\ndef {f}(v): return ('in', v)",
    "def deco{i}(g):\n    {l}.append('{i}')\n    return g\n@deco{i}\ndef {f}(v): return ('{i}', v)",
    "class D{i}(C):\n    table = [(x, '{i}') for x in {l}]\n    size = len(table)\n"
    "    def look(self): return ('{i}', self.table, *super().look())\n{o} = D{i}({w})",
    "class E{i}:\n    {v} = ('{i}', {w})\n    seen = [{v} for _ in range(1)] + [{v}]\n"
    "{v} = (*E{i}.seen, *E{i}.{v})",
    "class P{i}(C):\n    @property\n    def q(self): return ('{i}', {w}, *self.v)\n"
    "{o} = P{i}({w})\n{v} = {o}.q",
    "{o}.v += [('{i}', {w})]",
    "{o}.n = 0\n{o}.n += len({l})\n{v} = ('{i}', {o}.n)",
    "{d}['{i}'] = 1\n{d}['{i}'] += len({w})",
    "del {l}[-1:]",
    "{d}.setdefault('{i}', []).append({w})",
    "{o}.gone = {w}\ndel {o}.gone",
    "try:\n    {v} = ('{i}', {d}['missing{i}'])\nexcept KeyError as error:\n"
    "    {v} = ('{i}', str(error))\nfinally:\n    {l}.append('{i}')",
    "try:\n    {l}.append('{i}')\n    raise ValueError({w})\n"
    "except (OSError, ValueError) as e{i}:\n    {v} = ('{i}', *e{i}.args)\nelse:\n    {v} = ()",
    "from os.path import *\n{v} = ('{i}', basename('x/{i}'), {w})",
    "from math import *\n{v} = ('{i}', floor(2.5))",
    "def {f}(v):\n    def inner(u):\n        nonlocal v\n        v = ('{i}', u, v)\n"
    "    inner({w})\n    return v",
    "def set{i}(v):\n    global {v}, {l}\n    {v} = ('{i}', v)\n    {l} = [*{l}, '{i}']\n"
    "set{i}({w})",
    "def gen{i}(v):\n    yield ('{i}', v)\n    {l}.append('{i}')\n    yield from {l}\n"
    "{v} = tuple(gen{i}({w}))",
    "import asyncio\nasync def work{i}(v):\n    {l}.append('{i}')\n    return ('{i}', v, {w})\n"
    "{v} = asyncio.run(work{i}({v}))",
    "import contextlib\n@contextlib.contextmanager\ndef open{i}():\n    {l}.append('in{i}')\n"
    "    yield ('{i}', {w})\n    {l}.append('out{i}')\nwith open{i}() as {v}: pass",
    "first{i}, *rest{i} = {l}\n{v} = ('{i}', first{i}, str(rest{i}))",
    "{v}, ({w}, *_) = ('{i}', {w}), ({v}, 1, 2)",
    "{d}, {l}[0] = {{'{i}': {w}}}, ('{i}', 0)",
    "{v} = ('{i}', *{w}) if {l} else {v}",
    "{v} = (f'{{ {w} !r:>20}}', '{i}')",
    "{v} = ('{i}', *sorted({{str(x) for x in {l}}}), *{{k: 0 for k in {d}}})",
    "{l}.sort(key=lambda x: str({f}(x)))",
    "{v} = tuple(map({f}, {l}[:2]))",
    "assert {w} or {l}.append('{i}')",
    "{o}.put = lambda v: {l}.append(('{i}', v))\n{o}.put({w})",
    "C.shared{i} = {w}\n{v} = ('{i}', {o}.shared{i})",
    "setattr({o}, 'v', [('{i}', {w})])",
    "globals()['{v}'] = ('{i}', {w})",
    "{f} = (lambda h: lambda v: ('{i}', h(v)))({h})",
    "import functools\n{f} = functools.partial(lambda k, v: ('{i}', k, v), {w})",
    "def {f}(v, *more, k={l}, **rest):\n    k.append('{i}')\n    return ('{i}', v, *more)",
    "a_{i}: tuple = ('{i}', {w})\n{v} = a_{i}",
    "{l} = {m}[:]\n{m}.append(('{i}', {w}))",
]


@st.composite
def notebooks(draw: st.DrawFn, statements: list[str]) -> list[str]:
    """The prelude and some statements, one a cell, each with labels of its own."""
    cells = list(PRELUDE)
    for number in range(draw(st.integers(1, 9))):
        names = {"i": f"s{number}"}
        for letters, pool in KINDS.items():
            names.update(zip(letters, draw(st.permutations(pool)), strict=False))
        cells.append(draw(st.sampled_from(statements)).format(**names))
    return cells


def outcome(program: str, target: str) -> str:
    """What ``target`` is after ``program``, in names of its own."""
    names: dict[str, object] = {"__name__": "__main__", "print": lambda *values: None}
    try:
        exec(compile(program, "<program>", "exec"), names)
        return _shown(eval(target, names))
    except Exception as error:
        return f"raised {type(error).__name__}"


def _shown(value: object) -> str:
    return repr(value) if not callable(value) else "function"


def program_of(found: Slice) -> str:
    """The slice without the entry, which is one line."""
    return found.source.rstrip("\n").rpartition("\n")[0]


def without(found: Slice, cell: int, lines: tuple[int, int]) -> str:
    """The slice's program without one of its statements."""
    kept = [
        text
        for text, (origin, number) in zip(found.source.split("\n"), found.origins, strict=False)
        if origin != cell or not lines[0] <= number <= lines[1]
    ]
    return "\n".join(kept).rstrip("\n").rpartition("\n")[0]


RELAXED = settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))


@RELAXED
@given(notebooks(STATEMENTS + ALIASES + WIDER), st.sampled_from(TARGETS))
def test_a_slice_computes_what_the_notebook_computed(cells: list[str], target: str) -> None:
    expected = outcome("\n".join(cells), target)
    if not expected.startswith("raised"):
        found = slice_cells(cells, target)
        assert outcome(program_of(found), target) == expected, found.source


@RELAXED
@given(notebooks(STATEMENTS), st.sampled_from(TARGETS))
def test_no_statement_can_be_left_out(cells: list[str], target: str) -> None:
    expected = outcome("\n".join(cells), target)
    if expected.startswith("raised"):
        return
    found = slice_cells(cells, target)
    for reason in found.reasons:
        if reason.cell is not None:
            less = without(found, reason.cell, reason.lines)
            assert outcome(less, target) != expected, (cells[reason.cell], reason, found.source)


RUNNER = """
import json, sys
for program, target in json.load(sys.stdin):
    names = {"__name__": "__main__", "print": lambda *values: None}
    exec(program, names)
    value = eval(target, names)
    print(json.dumps("function" if callable(value) else repr(value)))
"""


def test_the_same_in_a_fresh_process() -> None:
    source = random.Random(20261121)
    programs, expected = [], []
    while len(programs) < 60:
        cells = list(PRELUDE)
        for number in range(source.randint(3, 12)):
            names = {"i": f"s{number}"}
            for letters, pool in KINDS.items():
                names.update(zip(letters, source.sample(pool, len(pool)), strict=False))
            cells.append(source.choice(STATEMENTS + ALIASES + WIDER).format(**names))
        target = source.choice(TARGETS)
        value = outcome("\n".join(cells), target)
        if not value.startswith("raised"):
            programs.append((program_of(slice_cells(cells, target)), target))
            expected.append(value)
    command = [sys.executable, "-I", "-c", RUNNER]
    done = subprocess.run(
        command, input=json.dumps(programs), capture_output=True, text=True, check=True
    )
    assert [json.loads(line) for line in done.stdout.splitlines()] == expected
