"""Variants of one model, one after the other: a job of the kind ``batch``.

It has the library imported and the prices loaded, and forks a runner for each variant, as the warm
process does for each run. Its ``job.json`` names::

    {"kind": "batch", "queue": folder of N.json files, "runs": folder, "over": folder, "job": a
     job.json without model and args, "model": the folder of the model that is varied,
     "orders", "answers": pipes}

A file of the queue is ``{"args": {…}, "files": {path: text}}``; to rename it is to take it, so that
several batches share one queue. Where there are pipes, it waits there for the name of the next one
and answers each with a line; it ends when nobody holds the other end, or has ordered any for long.

What a variant leaves is moved from ``runs/N`` to ``over/N`` when it is whole, without the model:
``result.json``, ``result.npz``, ``events.jsonl``, and ``exit.json`` with its ``seconds``. Its
output is dropped, and what it started is ended with the batch's guard.
"""

import gc
import json
import os
import select
import shutil
import time

from . import files

IDLE = 60.0
"""Seconds without an order after which it ends."""

SMALL = 1 << 20
"""Bytes of a model's file that are kept at hand rather than copied from the disk for each run."""


def main(folder):
    from . import kinds, outcome, prices, runner

    batch = files.read_json(os.path.join(folder, "job.json"))
    runner.import_library()
    kinds.warm_up()
    loaded = prices.Prices.load(batch["job"].get("prices"))
    prices.Prices.load = classmethod(lambda kind, entries: loaded)
    assert loaded.data is not None  # the frames that each run would make
    outcome.imports = lambda model: []  # nobody asks a sweep for them
    os.fsync = lambda descriptor: None  # a sweep's files are read at once and thrown away
    model = Files(batch["model"])
    gc.collect()
    gc.freeze()
    for name, variant in ordered(batch) if "orders" in batch else taken(batch["queue"]):
        run_one(batch, model, name, variant)
    return 0


class Files:
    """The model's folder, to be laid out again for each run."""

    def __init__(self, folder):
        self.folders = []
        self.files = []
        for parent, _, names in os.walk(folder):
            inside = os.path.relpath(parent, folder)
            self.folders.append(inside)
            for name in names:
                source = os.path.join(parent, name)
                content = None
                if os.path.getsize(source) <= SMALL:
                    with open(source, "rb") as file:
                        content = file.read()
                self.files.append((os.path.join(inside, name), source, content))

    def lay(self, place):
        for inside in self.folders:
            os.makedirs(os.path.join(place, inside), exist_ok=True)
        for name, source, content in self.files:
            path = os.path.join(place, name)
            if content is None:
                shutil.copyfile(source, path)
            else:
                write(path, content)


def write(path, content):
    with open(path, "wb", buffering=0) as file:
        file.write(content)


def taken(queue):
    """(name, content) of each file that nobody else took."""
    for name in sorted(name for name in os.listdir(queue) if name.endswith(".json")):
        path = os.path.join(queue, name)
        mine = path + ".taken"
        try:
            os.rename(path, mine)
        except FileNotFoundError:
            continue
        yield name[: -len(".json")], files.read_json(mine)


def ordered(batch):
    """(name, content) of each file that is asked for; answered once it has been run."""
    from .zygote import read_line

    orders = os.open(batch["orders"], os.O_RDONLY)
    answers = os.open(batch["answers"], os.O_WRONLY)
    try:
        while select.select([orders], [], [], IDLE)[0]:
            name = read_line(orders).strip()
            yield name, files.read_json(os.path.join(batch["queue"], name + ".json"))
            os.write(answers, b"\n")
    except EOFError:
        return


def run_one(batch, model, name, variant):
    place = os.path.join(batch["runs"], name)
    os.makedirs(place)
    began = time.monotonic()
    pid = os.fork()
    if pid == 0:
        become_run(batch, model, place, variant)
    _, status = os.waitpid(pid, 0)
    signalled = status & 0x7F
    code = None if signalled else status >> 8
    verdict = {
        "reason": "ended" if code == 0 else "failed",
        "code": code,
        "signal": signalled or None,
        "ended_at": time.time(),
        "seconds": time.monotonic() - began,
    }
    write(os.path.join(place, "exit.json"), json.dumps(verdict).encode("utf-8"))
    shutil.rmtree(os.path.join(place, "model"), ignore_errors=True)
    os.rename(place, os.path.join(batch["over"], name))


def become_run(batch, model, place, variant):
    """In the child: one run, in a folder and with files of its own; does not return."""
    from . import runner, tree, zygote

    try:
        os.setsid()
        tree.die_with_parent()
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nothing, descriptor)
        here = os.path.join(place, "model")
        model.lay(here)
        for path, text in variant["files"].items():
            write(os.path.join(here, path), text.encode("utf-8"))
        job = dict(batch["job"], model=here, args=variant["args"])
        write(os.path.join(place, "job.json"), json.dumps(job).encode("utf-8"))
        zygote.forget_chance()
        runner.main(place)  # ends the process itself
    finally:
        os._exit(1)
