"""A large package to a server on this machine, and the same one again."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measure import Row, as_seconds, clean_environment, median, timed, times
from benchmarks.setting import Setting

SIZE = 128 << 20


def upload(setting: Setting) -> list[Row]:
    from deploy_magics.model import Model
    from deploy_magics.platforms.blankly import BlanklyClient

    first, again = [], []
    with tempfile.TemporaryDirectory() as place, _server(Path(place)) as (address, token):
        client = BlanklyClient(address, token)
        known = {"project_id": client.create_project("Benchmarks").id, "name": "Large"}
        for number in range(setting.slow_rounds):
            folder = Path(place) / str(number)
            folder.mkdir()
            (folder / "large.bin").write_bytes(os.urandom(SIZE))
            model = Model.build("Large", "import blankly\n", include=["large.bin"], folder=folder,
                                requirements=["blankly==1.18.25b0"])  # fmt: skip
            package = model.to_zip(folder / "model.zip")
            for seconds in (first, again):
                took, accepted = timed(
                    lambda package=package, model=model, known=known: client.deploy(  # type: ignore[misc]
                        package, sha256=model.digest, python_version="3.11", **known
                    )
                )
                known = {"project_id": accepted.project_id, "model_id": accepted.model_id}
                seconds.append(took)
        client.close()
    sent, known = median(first), median(again)
    return [
        Row(
            "g",
            f"deploy a package of {SIZE >> 20} MiB to a server on this machine; the same content "
            "again, which is not sent",
            as_seconds(known),
            f"{as_seconds(sent)} ({SIZE / sent / 2**20:,.0f} MiB/s)",
            times(sent, known),
        )
    ]


@contextmanager
def _server(folder: Path) -> Iterator[tuple[str, str]]:
    base = [sys.executable, "-m", "deploy_magics.cli"]
    data = ["--data-dir", str(folder / "server")]
    token = subprocess.run(
        [*base, "token", "create", *data], capture_output=True, text=True, check=True
    ).stdout.strip()
    process = subprocess.Popen(
        [*base, "serve", "--port", "0", *data],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=clean_environment(),
        text=True,
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if "Listening on" in line:
                yield line.split()[-1], token
                break
    finally:
        process.terminate()
        process.wait(30)
