"""``python -m benchmarks [--only a,b,…] [--rounds N]``: the table, in Markdown."""

from __future__ import annotations

import argparse
import os
import sys
import time

from benchmarks.setting import CACHE, Setting


def main() -> None:
    from benchmarks.rows import ROWS

    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", default=",".join(ROWS), help="rows by letter: a,b,…")
    parser.add_argument("--rounds", type=int, default=5, help="of each measurement")
    options = parser.parse_args()
    # what is made for the benchmarks stays among them; modules stay compiled
    os.environ["DEPLOY_MAGICS_CACHE"] = str(CACHE)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    keys = [key for key in options.only.split(",") if key]
    unknown = [key for key in keys if key not in ROWS]
    if unknown:
        parser.error(f"no row {', '.join(unknown)}; there are {', '.join(ROWS)}")
    setting = Setting(max(1, options.rounds))
    began = time.strftime("%Y-%m-%d %H:%M")
    print("| | what | ours | theirs | ratio | results |\n|---|---|---|---|---|---|", flush=True)
    for key in keys:
        for row in ROWS[key](setting):
            cells = [row.key, row.what, row.ours, row.theirs, row.ratio, row.results]
            print(f"| {' | '.join(cells)} |", flush=True)
    print_footer(setting, began)
    end_all()


def print_footer(setting: Setting, began: str) -> None:
    from benchmarks.measure import machine

    versions = ", ".join(f"{name} {version}" for name, version in setting.versions.items())
    print(f"\nMedians of {setting.rounds} rounds ({setting.slow_rounds} where one takes minutes).")
    print(f"{versions or 'no library'}; {machine()}; {began}.")


def end_all() -> None:
    from deploy_magics.executor import warm

    warm.close_all()
    sys.stdout.flush()


if __name__ == "__main__":
    main()
