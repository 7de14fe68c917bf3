"""From a model to a UbiOps package: its own ``deployment.py``, or one that wraps a strategy."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..executor.data import PriceSet
from ..executor.process import RUNTIME
from ..model import Model
from ..model.archive import write_zip
from .ubiops_fields import Fields, defines_deployment, given, read_off

ROOT = "deployment_package"
SCRIPT = "deployment.py"
_WRAPPER = Path(__file__).with_name("ubiops_wrapper.py")
_LEFT_OUT = ("blankly.json", "settings.json", "backtest.json")
_WRAPPED_INPUT: Fields = [{"name": "arguments", "data_type": "dict"}]
_WRAPPED_OUTPUT: Fields = [
    {"name": "metrics", "data_type": "dict"},
    {"name": "orders", "data_type": "int"},
    {"name": "final_value", "data_type": "double"},
]


@dataclass(frozen=True)
class UbiopsPackage:
    """What is uploaded, and the fields that its deployment has."""

    files: Mapping[str, bytes | Path]
    inputs: Fields
    outputs: Fields
    wrapped: bool

    def write(self, path: Path) -> Path:
        """The zip, everything below ``deployment_package/``."""
        write_zip(path, {f"{ROOT}/{name}": contents for name, contents in self.files.items()})
        return path


def package_of(
    model: Model,
    *,
    prices: PriceSet | None = None,
    arguments: Mapping[str, Any] | None = None,
    inputs: Mapping[str, str] | None = None,
    outputs: Mapping[str, str] | None = None,
) -> UbiopsPackage:
    """A program with a class ``Deployment`` is packed as it is, a Blankly model is wrapped.

    Args:
        prices: shipped with a wrapped model, for requests that bring none.
        arguments: of a wrapped model's backtest, for requests that say none.
        inputs, outputs: fields by name, in place of what the code tells.
    """
    main = model.manifest.main_path
    source = _bytes(model.files[main]).decode("utf-8", "replace")
    if defines_deployment(source):
        files = {name: model.files[name] for name in model.files if name not in _LEFT_OUT}
        files[SCRIPT] = files.pop(main)
        if inputs is not None and outputs is not None:
            read: tuple[Fields, Fields] = ([], [])
        else:
            read = read_off(source)
        return UbiopsPackage(
            files,
            read[0] if inputs is None else given(inputs, "--input"),
            read[1] if outputs is None else given(outputs, "--output"),
            wrapped=False,
        )
    files = _wrapped(model, prices, arguments or model.manifest.backtest_args or {})
    return UbiopsPackage(files, _WRAPPED_INPUT, _WRAPPED_OUTPUT, wrapped=True)


def _wrapped(
    model: Model, prices: PriceSet | None, arguments: Mapping[str, Any]
) -> dict[str, bytes | Path]:
    files: dict[str, bytes | Path] = {f"model/{name}": each for name, each in model.files.items()}
    files[SCRIPT] = _WRAPPER
    files["requirements.txt"] = "".join(f"{each}\n" for each in model.requirements).encode()
    for path in sorted(RUNTIME.glob("*.py")):
        files[f"runtime/{path.name}"] = path
    described = {
        "arguments": {name: value for name, value in arguments.items() if value is not None},
        "prices": _prices(prices, files),
        "job": {
            "main_script": model.manifest.main_script,
            "working_directory": model.manifest.working_directory,
            "type": model.manifest.type,
        },
    }
    files["wrapped.json"] = json.dumps(described, sort_keys=True).encode()
    return files


def _prices(prices: PriceSet | None, files: dict[str, bytes | Path]) -> list[dict[str, Any]]:
    """Lay the files of the prices into the package; their entries, with names for paths."""
    entries = []
    with tempfile.TemporaryDirectory(prefix="deploy_magics-") as folder:
        for entry in prices.write(folder) if prices else []:
            path = Path(entry["path"])
            files[f"prices/{path.name}"] = path.read_bytes()
            entries.append({**entry, "path": path.name})
    return entries


def _bytes(contents: bytes | Path) -> bytes:
    return contents if isinstance(contents, bytes) else contents.read_bytes()
