"""Forks servers and workers from a process that has imported everything: started in no time.

``python nursery.py DATA_DIR``: each line on stdin, "web" or "worker", starts one and prints its
pid. All that it started are children of this process and end with it.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from pathlib import Path

from deploy_magics.server.app import create_app
from deploy_magics.server.serve import serve
from deploy_magics.server.services import Services
from deploy_magics.server.settings import Settings
from deploy_magics.server.workers.__main__ import main as work


def child(what: str, data_dir: Path) -> int:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDWR)
    log = os.open(data_dir.parent / f"{what}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for new, old in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(new, old)
    if what == "web":
        return serve(Settings(data_dir=data_dir, port=0), workers=False)
    return work(["--data-dir", str(data_dir)])


def main() -> None:
    data_dir = Path(sys.argv[1])
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with tempfile.TemporaryDirectory() as folder:  # loads every dialect, once for all
        settings = Settings(data_dir=Path(folder) / "data")
        services = Services.open(settings)
        create_app(settings, services)
        services.close()
    print("ready", flush=True)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            code = 70
            try:
                code = child(line.strip(), data_dir)
            finally:
                os._exit(code)
        print(pid, flush=True)


if __name__ == "__main__":
    main()
