"""A worker that does what it should not: worker.py MODE ARGUMENTS..."""

import os

import hostile
from hostile import mode, say, stay


@mode
def nothing():
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


if __name__ == "__main__":
    hostile.main()
