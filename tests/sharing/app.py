# SPDX-License-Identifier: MIT
"""Says when as many have come together as TEST_ALL says, and who is the leader.

    gunicorn app:app
    python3 app.py native      takes connections by the library
    python3 app.py none        takes none
"""

import os
import signal
import sys

import usher

bus = usher.Bus(timeout=60)
store = bus.store()


@bus.on_leader
def lead(is_leader):
    print("leader", is_leader, os.getpid(), flush=True)


@store.watch("here")
def see(change):
    print("here:", change.value, flush=True)
    if change.value == int(os.environ["TEST_ALL"]):
        print("all here,", bus.identity.name, flush=True)


store.increment("here")


def app(_environ, start_response):
    start_response("200 OK", [])
    return [b"hello\n"]


if __name__ == "__main__":
    if sys.argv[1] == "none":
        signal.pause()
    with usher.Worker() as worker:
        worker.ready()
        for connection in worker:
            connection.close()
