"""Backtests in little room: ``small_disk.py disk|quota FOLDER CASE…``; what each came to, as JSON.

A *disk* is of a few megabytes, mounted here, so start this in a mount namespace of its own. By a
*quota* no file may grow beyond a limit.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import local_models as models

import deploy_magics
from deploy_magics.errors import DeployMagicsError

SIZE = 3 << 20
FILLS = "with open('big', 'wb', 0) as file:\n    while True: file.write(bytes(4096))\n"
CASES = {
    "the script fills it": models.every_hour("pass", head=FILLS),
    "the script fills it and goes on": models.every_hour(
        "pass", head=f"try:\n    {FILLS.replace(chr(10), chr(10) + '    ')}\nexcept OSError: pass\n"
    ),
    "a callback fills it": models.every_hour("open('big', 'ab').write(bytes(1 << 17))"),
    "it is full of prints": models.every_hour("print('x' * 20_000)"),
    "it was full before": models.every_hour("pass"),
    "there is room again": models.every_hour("pass"),
}


def backtest(case: str, place: Path) -> dict[str, object]:
    folder = place / f"model {len(list(place.iterdir()))}"
    folder.mkdir()
    (folder / "bot.py").write_text(CASES[case])
    filler = place / "filler"
    if case == "it was full before":
        with filler.open("wb", 0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass
    before = free(place)
    try:
        result = deploy_magics.backtest(
            str(folder / "bot.py"),
            data={"EUR-USD": models.frame()},
            initial_values={"USD": 1000},
            requirements=["blankly==1.18.25b0", "numpy<2"],
        )
        found: dict[str, object] = {"result": result.final_value}
    except DeployMagicsError as error:
        found = {"error": type(error).__name__, "said": str(error)}
    found["left behind"] = max(0, before - free(place))
    filler.unlink(missing_ok=True)
    return found


def free(place: Path) -> int:
    space = os.statvfs(place)
    return space.f_bavail * space.f_frsize


def main(room: str, place: Path, *cases: str) -> None:
    if room == "disk":
        mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(place)]
        subprocess.run(mount, check=True)
    else:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (SIZE, SIZE))
    os.environ["DEPLOY_MAGICS_HOME"] = str(place / "home")
    os.environ["TMPDIR"] = str(place)
    tempfile.tempdir = str(place)
    print(json.dumps({case: backtest(case, place) for case in cases}), file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
