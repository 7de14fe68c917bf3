"""The cases whose slices are known: cells in the order executed, a target, the cells it needs."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import pytest

from deploy_magics.errors import UnpackagableNameError
from deploy_magics.notebook import slice_cells

CASES = json.loads((Path(__file__).parent / "slicing_cases.json").read_text("utf-8"))


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_case(case: dict[str, Any]) -> None:
    target, cells = case["target"], case["cells"]
    entry, own = (cells[target], [target]) if isinstance(target, int) else (target, [])
    executed = cells[:target] if isinstance(target, int) else cells
    if case["expect_error"]:
        with pytest.raises(UnpackagableNameError) as caught:
            slice_cells(executed, entry)
        assert case["expect_error"].lower() in str(caught.value).lower()
        return
    found = slice_cells(executed, entry)
    assert [*found.cells, *own] == case["expect_cells"]
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(found.source, "<slice>", "exec"), {"__name__": "__main__"})
