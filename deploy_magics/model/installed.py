"""What this kernel's installed metadata, and a kept table, say about distributions."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from functools import lru_cache
from importlib import metadata

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

# Import name to distribution, for what the kernel need not have. Only projects known by hand.
_TABLE = {
    "alpaca_trade_api": "alpaca-trade-api",
    "backtesting": "backtesting",
    "backtrader": "backtrader",
    "blankly": "blankly",
    "bs4": "beautifulsoup4",
    "bt": "bt",
    "catboost": "catboost",
    "ccxt": "ccxt",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "dotenv": "python-dotenv",
    "empyrical": "empyrical-reloaded",
    "ffn": "ffn",
    "finta": "finta",
    "joblib": "joblib",
    "keras": "keras",
    "lightgbm": "lightgbm",
    "logbook": "logbook",
    "lxml": "lxml",
    "matplotlib": "matplotlib",
    "numba": "numba",
    "numpy": "numpy",
    "pandas": "pandas",
    "pandas_ta": "pandas-ta",
    "PIL": "pillow",
    "plotly": "plotly",
    "polars": "polars",
    "prophet": "prophet",
    "pyarrow": "pyarrow",
    "pyfolio": "pyfolio-reloaded",
    "pymc": "pymc",
    "pymc3": "pymc3",
    "pypfopt": "pyportfolioopt",
    "pytz": "pytz",
    "quantstats": "quantstats",
    "requests": "requests",
    "sambo": "sambo",
    "scipy": "scipy",
    "seaborn": "seaborn",
    "skfolio": "skfolio",
    "sklearn": "scikit-learn",
    "statsmodels": "statsmodels",
    "ta": "ta",
    "talib": "ta-lib",
    "telegram": "python-telegram-bot",
    "tensorflow": "tensorflow",
    "torch": "torch",
    "tqdm": "tqdm",
    "vectorbt": "vectorbt",
    "websocket": "websocket-client",
    "websockets": "websockets",
    "xgboost": "xgboost",
    "yaml": "pyyaml",
    "yfinance": "yfinance",
    "zipline": "zipline-reloaded",
}

# What blankly 1.18.25b0 asks for itself, so that it need not be installed here to know it.
_BLANKLY_BRINGS = (
    "alpaca-trade-api",
    "bokeh",
    "dateparser",
    "newnewtulipy",
    "numpy",
    "pandas",
    "python-binance",
    "questionary",
    "requests",
    "websocket-client",
    "yaspin",
)


def is_this_python(version: str) -> bool:
    """Whether ``version`` ("3.11") is the kernel's own."""
    return version.split(".")[:2] == [str(part) for part in sys.version_info[:2]]


def is_standard(top: str) -> bool:
    """Whether a top-level module comes with Python."""
    return top in sys.stdlib_module_names or top == "__main__"


@lru_cache(maxsize=4)
def _by_module(path: tuple[str, ...]) -> Mapping[str, list[str]]:
    return metadata.packages_distributions()


def distribution_of(module: str) -> str | None:
    """The canonical name of the distribution that provides a module, None where nobody knows."""
    top = module.partition(".")[0]
    names = _by_module(tuple(sys.path)).get(top, [])
    if len(names) > 1:
        names = [name for name in names if _provides(name, module)] or names
    if names:
        return canonicalize_name(sorted(names)[0])
    return _TABLE.get(top)


def _provides(name: str, module: str) -> bool:
    """Whether a distribution of a namespace package holds this very module."""
    path = module.replace(".", "/")
    places = {f"{path}.py", f"{path}/__init__.py"}
    return any(str(file) in places for file in metadata.files(name) or ())


@lru_cache(maxsize=256)
def version_of(name: str) -> str | None:
    """The installed version, without a local part that no index has."""
    try:
        return metadata.version(name).partition("+")[0]
    except metadata.PackageNotFoundError:
        return None


@lru_cache(maxsize=256)
def source_of(name: str) -> str:
    """Where an installed distribution came from when that was no index: a path or an address."""
    try:
        text = metadata.distribution(name).read_text("direct_url.json")
    except metadata.PackageNotFoundError:
        return ""
    if not text:
        return ""
    try:
        return str(json.loads(text).get("url", ""))
    except (ValueError, AttributeError):
        return ""


def pinned(name: str) -> str:
    """``name==version`` where it is installed, else the name alone."""
    version = version_of(name)
    return f"{name}=={version}" if version else name


@lru_cache(maxsize=1024)
def requires(name: str) -> Mapping[str, SpecifierSet]:
    """The distributions that an installed one asks for, extras aside."""
    try:
        lines = metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return {other: SpecifierSet() for other in _BLANKLY_BRINGS} if name == "blankly" else {}
    found: dict[str, SpecifierSet] = {}
    for line in lines:
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            found[canonicalize_name(requirement.name)] = requirement.specifier
    return found


def brings(name: str) -> set[str]:
    """All that installing ``name`` installs beside it, as far as metadata tells here."""
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        for other in requires(waiting.pop()):
            if other not in seen:
                seen.add(other)
                waiting.append(other)
    return seen


def clashes(name: str, bounds: Mapping[str, SpecifierSet]) -> bool:
    """Whether the installed version of ``name`` asks for versions that ``bounds`` rule out."""
    asked = requires(name)
    for other, bound in bounds.items():
        if other in asked and not any(
            asked[other].contains(version) and bound.contains(version) for version in _SAMPLES
        ):
            return True
    return False


_SAMPLES = ("1.22.4", "1.23.5", "1.24.4", "1.25.2", "1.26.4")
