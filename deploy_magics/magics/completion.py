"""What Tab offers on a magic's line: options, choices, names on the platform, files, frames."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..actions.options import Option, Options
from ..errors import DeployMagicsError
from .command import Command, Group
from .values import is_frame
from .words import Word, quoted, split

Completer = Callable[[str, Mapping[str, Any]], Iterable[str]]


def complete(command: Command | Group, line: str, namespace: Mapping[str, Any]) -> list[str]:
    """Words that may stand at the end of ``line`` (what follows the magic's name, up to the
    cursor) in place of the last one."""
    words, last = _open_words(line)
    if isinstance(command, Group):
        if not words:
            return _starting(command.actions, last) + (
                _of(command, line, words, last, namespace) if command.default else []
            )
        return _of(command, line, words, last, namespace)
    return _words(command.options(), words, last, namespace)


def _of(
    group: Group, line: str, words: Sequence[Word], last: str, namespace: Mapping[str, Any]
) -> list[str]:
    try:
        chosen, _ = group.command(line)
    except DeployMagicsError:
        return []
    if chosen is None:
        return []
    left = words[1:] if words and words[0].text in group.actions else words
    return _words(chosen.options(), left, last, namespace)


def _open_words(line: str) -> tuple[list[Word], str]:
    """The finished words, and the raw text of the one that is being typed."""
    for quote in ("", '"', "'"):
        try:
            words = split(line + quote)
        except DeployMagicsError:
            continue
        if words and (quote or words[-1].end == len(line)):
            return words[:-1], line[words[-1].start :]
        return words, ""
    return [], ""


def _words(
    options: Options, words: Sequence[Word], last: str, namespace: Mapping[str, Any]
) -> list[str]:
    flags = options.flags()
    if last.startswith("--"):
        flag, equals, value = last.partition("=")
        if equals and flag in flags:
            return [f"{flag}={text}" for text in _values(flags[flag], value, namespace)]
        return _starting(flags, last)
    wanted = flags.get(words[-1].text) if words and words[-1].is_flag else None
    if wanted is not None and wanted.shape != "switch":
        return _values(wanted, last, namespace)
    for position, word in reversed(list(enumerate(words))):
        if word.is_flag:  # a further pair of the same option
            option = flags.get(word.text)
            pairs = words[position + 1 :]
            if option and option.shape == "pairs" and all("=" in pair.text for pair in pairs):
                return _values(option, last, namespace)
            break
    given = _count_positionals(words, flags)
    places = options.positionals
    place = places[min(given, len(places) - 1)] if places else None
    if place is not None and (given < len(places) or place.shape == "many"):
        found = _values(place, last, namespace)
        return found if last else found + _starting(flags, "--")
    return _starting(flags, last) if not last else []


def _count_positionals(words: Sequence[Word], flags: Mapping[str, Option]) -> int:
    count, skip = 0, False
    for word in words:
        if word.is_flag:
            option = flags.get(word.text)
            skip = option is not None and option.shape != "switch"
        elif skip:
            skip = False
        else:
            count += 1
    return count


def _values(option: Option, typed: str, namespace: Mapping[str, Any]) -> list[str]:
    """Values of an option that begin with what is typed."""
    if option.shape == "pairs":
        name, equals, value = typed.partition("=")
        if not equals:
            return []
        return [f"{name}={text}" for text in _of_kind(option.completes, value, namespace)]
    if option.choices:
        return _starting(option.choices, typed)
    return _of_kind(option.completes, typed, namespace)


def _of_kind(what: str, typed: str, namespace: Mapping[str, Any]) -> list[str]:
    bare = typed.lstrip("\"'")
    if what == "frame":
        frames = [name for name, value in namespace.items() if is_frame(value)]
        return _starting([name for name in frames if not name.startswith("_")], bare) + _files(bare)
    if what in ("file", "folder"):
        return _files(bare, folders_only=what == "folder")
    if not what:
        return []
    from ..actions.names import names_of

    try:
        found = names_of(what)
    except Exception:  # Tab never fails: no server, no names
        return []
    return [quoted(name) for name in found if name.lower().startswith(bare.lower())]


def _starting(words: Iterable[str], typed: str) -> list[str]:
    return sorted(word for word in words if word.startswith(typed))


def _files(typed: str, folders_only: bool = False) -> list[str]:
    head, slash, start = typed.rpartition("/")
    folder = Path(head + slash or ".").expanduser()
    found = []
    for path in sorted(folder.iterdir())[:2000] if folder.is_dir() else []:
        if not path.name.startswith(start) or path.name.startswith(".") > start.startswith("."):
            continue
        if path.is_dir():
            found.append(quoted(f"{head}{slash}{path.name}/"))
        elif not folders_only:
            found.append(quoted(f"{head}{slash}{path.name}"))
    return found[:200]


def complete_in(shell: Any, commands: Sequence[Command | Group]) -> None:
    """Let the shell's Tab ask us on lines that start with one of our magics."""
    completer = getattr(shell, "Completer", None)
    if completer is None:
        return
    forget_in(shell)
    completer.custom_matchers.append(_Matcher(shell, {each.name: each for each in commands}))


def forget_in(shell: Any) -> None:
    completer = getattr(shell, "Completer", None)
    if completer is not None:
        kept = [each for each in completer.custom_matchers if not isinstance(each, _Matcher)]
        completer.custom_matchers[:] = kept


class _Matcher:
    """A matcher of IPython's completer, version 2 of its protocol."""

    matcher_api_version = 2
    matcher_identifier = "deploy_magics"

    def __init__(self, shell: Any, commands: Mapping[str, Command | Group]) -> None:
        self.__qualname__ = "deploy_magics"  # IPython asks each matcher for it
        self._shell = shell
        self._commands = commands

    def __call__(self, context: Any) -> dict[str, Any]:
        line = context.full_text.splitlines()[context.cursor_line] if context.full_text else ""
        line = line[: context.cursor_position].lstrip()
        name, _, rest = line.lstrip("%").partition(" ")
        command = self._commands.get(name)
        if not line.startswith("%") or command is None or " " not in line:
            return {"completions": []}
        from IPython.core.completer import SimpleCompletion

        try:
            found = complete(command, rest, self._shell.user_ns)
        except DeployMagicsError:
            found = []
        _, last = _open_words(rest)
        return {
            "completions": [SimpleCompletion(text, type="magic option") for text in found],
            "matched_fragment": last,
            "suppress": bool(found),
        }
