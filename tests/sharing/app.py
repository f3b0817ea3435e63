# SPDX-License-Identifier: MIT
"""Says when as many have come together as TEST_ALL says, have been heard, and have answered, what
was lost, and who is the leader.

    gunicorn app:app
    python3 app.py native      takes connections by the library
    python3 app.py none        takes none
"""

import os
import signal
import sys
import threading

import usher

ALL = int(os.environ["TEST_ALL"])

bus = usher.Bus(timeout=60)
store = bus.store()
name = bus.identity.name
heard = set()


@bus.on_leader
def lead(is_leader):
    print("leader", is_leader, os.getpid(), flush=True)


@bus.on_lost
def miss(_count):
    print("some lost,", name, flush=True)


@bus.subscribe("hello.*")
def hear(message):
    heard.add(message.sender)
    if len(heard) == ALL:
        print("all heard,", name, flush=True)


@bus.respond("who")
def answer(_request):
    return name


def ask():
    others = {reply.data for reply in bus.request("who", timeout=60)}
    if len(others) == ALL - 1:
        print("all have answered,", name, flush=True)


@store.watch("here")
def see(change):
    print("here:", change.value, flush=True)
    if change.value == ALL:
        print("all here,", name, os.getpid(), flush=True)
        bus.publish("hello." + name.replace("/", "-"))
        threading.Thread(target=ask).start()  # here it would keep this worker from answering


bus.subscribe("flood")(lambda message: None)


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
