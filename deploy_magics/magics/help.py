"""A magic's help, written from its action's signature and docstring."""

from __future__ import annotations

import html
from dataclasses import dataclass

from ..actions.options import Option, Options


class Text(str):
    """Text that is shown as it is laid out."""

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"


@dataclass(frozen=True, repr=False)
class Help:
    """How a magic is used, as text and as HTML."""

    name: str
    options: Options
    marks: tuple[str, ...]

    def __repr__(self) -> str:
        return help_text(self.name, self.options, self.marks)

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"


def help_text(name: str, options: Options, marks: tuple[str, ...]) -> str:
    """The usage line, what it does, and a line for each option."""
    places = " ".join(f"[{_meta(option)}]" for option in options.positionals)
    usage = " or ".join(f"{mark}{name}" for mark in marks)
    lines = [f"{usage} {places} [options]".replace("  ", " "), "", options.summary, ""]
    rows = [(_left(option), option.help) for option in options.options]
    if options.more:
        rows += [(_left(extra), extra.help) for extra in _extras(options)]
    width = min(34, max((len(left) for left, _ in rows), default=0))
    for left, text in rows:
        lines.append(f"  {left:<{width}}  {text}".rstrip())
    return "\n".join(lines).rstrip() + "\n"


def _extras(options: Options) -> list[Option]:
    named = {option.flag for option in options.options}
    return [option for flag, option in options.flags().items() if flag not in named]


def _left(option: Option) -> str:
    if option.positional:
        return _meta(option)
    return option.flag if option.shape == "switch" else f"{option.flag} {_meta(option)}"


def _meta(option: Option) -> str:
    if option.choices:
        return "|".join(option.choices)
    word = option.completes or option.name
    word = word.upper().replace("_", "-")
    if option.shape == "pairs":
        return "NAME=VALUE[,VALUE…]" if option.several else "NAME=VALUE"
    return f"{word}…" if option.shape == "many" else word
