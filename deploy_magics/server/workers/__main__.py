"""``python -m deploy_magics.server.workers --data-dir DIR``: the process that runs what is queued.

It ends on SIGTERM, on SIGINT, and when its standard input closes while it is a pipe: whoever
started it is gone then.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import stat
import sys
import threading
from collections.abc import Sequence

from deploy_magics.errors import DeployMagicsError
from deploy_magics.executor.files import locked
from deploy_magics.executor.warm import close_all
from deploy_magics.server.services import Services
from deploy_magics.server.settings import Settings
from deploy_magics.server.workers.worker import Worker

LOCK = "worker.lock"


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="deploy_magics.server.workers", description=__doc__)
    made.add_argument("--data-dir", required=True)
    made.add_argument("--database-url")
    made.add_argument("--key-file")
    made.add_argument("--blob-url")
    made.add_argument("--scheduler", help="address of a Dask scheduler for backtests")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("deploy_magics").setLevel(logging.INFO)
    settings = Settings.load(**vars(parser().parse_args(arguments)))
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    ending = threading.Event()
    threading.Thread(target=_follow_parent, args=(ending,), daemon=True).start()
    while not ending.is_set():
        with locked(settings.data_dir / LOCK, wait=False) as held:
            if held:
                return _serve(settings, ending)
        ending.wait(0.2)
    return 0


def _serve(settings: Settings, ending: threading.Event) -> int:
    try:
        services = Services.open(settings)
    except DeployMagicsError as error:
        print(f"deploy_magics worker: {error}", file=sys.stderr)
        return 1
    try:
        _work(Worker(services), ending)
    finally:
        close_all()
        services.close()
    return 0


def _work(worker: Worker, ending: threading.Event) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())

    def end() -> None:
        ending.wait()
        worker.stop()

    threading.Thread(target=end, daemon=True).start()
    worker.run()


def _follow_parent(ending: threading.Event) -> None:
    """Wait until the other end of standard input closes; a terminal or /dev/null says nothing."""
    try:
        if not stat.S_ISFIFO(os.fstat(0).st_mode) and not stat.S_ISSOCK(os.fstat(0).st_mode):
            return
        while os.read(0, 4096):
            pass
    except OSError:
        pass
    ending.set()


if __name__ == "__main__":
    sys.exit(main())
