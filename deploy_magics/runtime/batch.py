"""Variants of one model, one after the other: a job of the kind ``batch``.

It has the library imported and the prices loaded, and forks a runner for each variant, as the warm
process does for each run. Its ``job.json`` names::

    {"kind": "batch", "queue": folder of N.json files, "runs": folder, "job": a job.json without
     model and args, "model": the folder of the model that is varied}

A file of the queue is ``{"args": {…}, "files": {path: text}}``; to rename it is to take it, so that
several batches share one queue. What a variant leaves is in ``runs/N``, as any run's: ``exit.json``
is written last. Its output is dropped, and what it started is ended with the batch's guard.
"""

import gc
import json
import os
import shutil
import time

from . import files


def main(folder):
    from . import kinds, prices, runner

    batch = files.read_json(os.path.join(folder, "job.json"))
    runner.import_library()
    kinds.warm_up()
    loaded = prices.Prices.load(batch["job"].get("prices"))
    prices.Prices.load = classmethod(lambda kind, entries: loaded)
    os.fsync = lambda descriptor: None  # a sweep's files are read at once and thrown away
    gc.collect()
    gc.freeze()
    while True:
        taken = take(batch["queue"])
        if taken is None:
            return 0
        name, variant = taken
        run_one(batch, name, variant)


def take(queue):
    """(name, content) of the first file that nobody else took; None when there is none left."""
    waiting = sorted(name for name in os.listdir(queue) if name.endswith(".json"))
    for name in waiting:
        path = os.path.join(queue, name)
        mine = path + ".taken"
        try:
            os.rename(path, mine)
        except FileNotFoundError:
            continue
        return name[: -len(".json")], files.read_json(mine)
    return None


def run_one(batch, name, variant):
    place = os.path.join(batch["runs"], name)
    os.makedirs(place)
    pid = os.fork()
    if pid == 0:
        become_run(batch, place, variant)
    _, status = os.waitpid(pid, 0)
    signalled = status & 0x7F
    code = None if signalled else status >> 8
    reason = "ended" if code == 0 else "failed"
    verdict = {"reason": reason, "code": code, "signal": signalled or None, "ended_at": time.time()}
    files.write_json(os.path.join(place, "exit.json"), verdict)


def become_run(batch, place, variant):
    """In the child: one run, in a folder and with files of its own; does not return."""
    from . import runner, tree, zygote

    try:
        os.setsid()
        tree.die_with_parent()
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nothing, descriptor)
        model = os.path.join(place, "model")
        shutil.copytree(batch["model"], model)
        for path, text in variant["files"].items():
            with open(os.path.join(model, path), "w", encoding="utf-8", newline="") as file:
                file.write(text)
        job = dict(batch["job"], model=model, args=variant["args"])
        with open(os.path.join(place, "job.json"), "w", encoding="utf-8") as file:
            json.dump(job, file)
        zygote.forget_chance()
        runner.main(place)  # ends the process itself
    finally:
        os._exit(1)
