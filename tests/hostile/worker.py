"""A worker that does what it should not: worker.py MODE ARGUMENTS..."""

import os
import select
import socket
import struct

import hostile
import usher
from hostile import linger_on, mode, say, stay


@mode
def nothing():
    stay()


@mode
def wait_inside():
    say("inside")
    stay()


@mode
def links_for_logs(log, *targets):
    """Writes much, and puts links to the targets in the log's place all the time."""
    number = 0
    while True:
        for target in targets:
            print("x" * 100, flush=True)
            try:
                os.symlink(target, log + ".link")
                os.rename(log + ".link", log)
            except OSError:
                pass
            number += 1
            if number == 100:
                say("links")
            if number % 5 == 0:  # there is a file to rotate now and then
                try:
                    os.unlink(log)
                except OSError:
                    pass


@mode
def use_terminal():
    try:
        os.open("/dev/tty", os.O_RDWR)
        say("has the terminal")
    except OSError:
        say("has no terminal")
    stay()


@mode
def linger_on_peeked():
    """Has the last close of what it was sent, and leaves there, wait: that is its master's."""
    worker = usher.Worker(max_batch=1)
    worker.ready()
    source = worker._source
    select.select([source], [], [])
    _, extra, _, _ = source.recvmsg(1 << 16, socket.CMSG_SPACE(4), socket.MSG_PEEK | socket.MSG_DONTWAIT)
    client = socket.socket(fileno=struct.unpack("i", extra[0][2])[0])
    linger_on(client)
    client.close()
    say("died")
    os._exit(1)


if __name__ == "__main__":
    hostile.main()
