"""A worker that does what it should not: worker.py MODE ARGUMENTS..."""

import hostile
from hostile import mode, stay


@mode
def nothing():
    stay()


if __name__ == "__main__":
    hostile.main()
