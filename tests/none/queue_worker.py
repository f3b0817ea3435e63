#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A worker that takes jobs from a queue, here a folder with a file for each job.

    queue_worker.py FOLDER [STEP...]

A job is claimed by renaming it to `NAME.SLOT`, which one worker alone can do, and done when it is
`NAME.done`; `slow*` jobs take until `go` is in FOLDER.  SIGTERM lets it finish the job that it has.

Each STEP is done first: `notify=TEXT` sends TEXT to NOTIFY_SOCKET, with `|` for line ends; `gate`
waits until `go` is in FOLDER; `deaf` ignores SIGTERM; `crash` ends with 3.
"""

import os
import pathlib
import signal
import socket
import sys
import time

is_stopping = False


def stop(*_):
    global is_stopping
    is_stopping = True


def notify(text):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
        out.sendto(text.replace("|", "\n").encode(),
                   os.environ["NOTIFY_SOCKET"].replace("@", "\0", 1))


def wait_for_go(folder):
    while not (folder / "go").exists():
        time.sleep(0.005)


def work(folder):
    for job in sorted(folder.glob("*.job")):
        mine = job.with_suffix("." + os.environ["USHER_SLOT"])
        try:
            job.rename(mine)
        except FileNotFoundError:
            continue  # another worker was faster
        print("claimed", job.stem, flush=True)
        if job.stem.startswith("slow"):
            wait_for_go(folder)
        mine.rename(job.with_suffix(".done"))
        return True
    return False


def main(name, *steps):
    folder = pathlib.Path(name)
    signal.signal(signal.SIGTERM, stop)
    for step in steps:
        if step.startswith("notify="):
            notify(step.removeprefix("notify="))
        elif step == "gate":
            wait_for_go(folder)
        elif step == "deaf":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        elif step == "crash":
            sys.exit(3)
    print("at work", flush=True)
    while not is_stopping:
        if not work(folder):
            time.sleep(0.005)
    print("done", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
