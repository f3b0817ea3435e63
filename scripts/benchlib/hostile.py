"""How long clients of one pool get no answer while neighbours of other users do their worst."""

import asyncio
import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
import signal
import socket
import stat
import subprocess
import sys

from .fronts import Site
from .held import RATE, longest_gap_ms
from .load import wait_for_workers
from .processes import BenchError, Server, free_port, wait_until
from .table import print_table

PROGRAMS = pathlib.Path(__file__).parents[2] / "tests/hostile"
LIBRARY = pathlib.Path(__file__).parents[2] / "worker/python/usher.py"
PYTHON = "/usr/bin/python3"  # one that other users can run
WORKER_USER, STRANGER_USER = 65534, 65533  # neither the master's nor each other's
SECONDS, SECONDS_OF_ALL = 5, 60
LIMIT_MS = 100
RATE_ALONE = RATE // 5  # of the server without a master, which shows what the machine does


@dataclasses.dataclass
class Case:
    """What hostile workers and strangers do."""

    what: str
    mode: str  # of tests/hostile/worker.py
    arguments: list = ()
    pool: dict = dataclasses.field(default_factory=dict)
    strangers: list = ()  # modes of tests/hostile/stranger.py, with their arguments
    sign: str = ""  # in the log: it has begun; without: when one of them says something


def cases():
    """All that the tests know as well; {folder} in it is one that the workers own."""
    return [Case(**each) for each in json.loads((PROGRAMS / "cases.json").read_text())]


class Neighbourhood:
    """A master that is root, with an innocent pool and the hostile ones of `cases`."""

    def __init__(self, tools, cases):
        self.tools, self.cases = tools, cases
        self.root = tools.folder / "hostile"
        self.said, self.log = self.root / "said", self.root / "log"
        self.env = {"HOSTILE_SAID": str(self.said), "HOSTILE_FUSE": str(self.root / "fuse")}
        self.port = free_port()
        self.ports = [free_port() for _ in cases]
        self.strangers = []

    def make_folders(self):
        shutil.rmtree(self.root, ignore_errors=True)
        self.tools.folder.chmod(0o755)
        programs = self.root / "programs"
        programs.mkdir(parents=True)
        for program in (*PROGRAMS.glob("*.py"), LIBRARY):
            shutil.copy(program, programs)
        self.said.touch()
        self.said.chmod(0o666)
        with contextlib.suppress(OSError):  # as on most machines, where everybody may open it
            os.mknod(self.root / "fuse", stat.S_IFCHR, os.makedev(10, 229))
            (self.root / "fuse").chmod(0o666)

    def pool(self, number, case):
        folder = self.root / f"worker-{number}"
        folder.mkdir()
        os.chown(folder, WORKER_USER, WORKER_USER)
        os.mkfifo(folder / "fifo", 0o755)
        program = folder / "program"
        program.write_text(f'#!/bin/sh\nexec {PYTHON} {self.root}/programs/worker.py "$@"\n')
        program.chmod(0o755)
        os.chown(program, WORKER_USER, WORKER_USER)
        text = json.dumps({
            "name": f"hostile-{number}", "user": WORKER_USER, "group": WORKER_USER, "groups": [],
            "command": [PYTHON, str(self.root / "programs/worker.py"), case.mode, *case.arguments],
            "workers": 1, "listen": [f"127.0.0.1:{self.ports[number]}"], "restart": {"first_delay": "100ms"},
            # What is looked for is what stops the master; a busy neighbour is the kernel's matter.
            "nice": 10, "drain_timeout": "1s", "env": self.env, **case.pool})
        return json.loads(text.replace("{folder}", str(folder)))

    def start_server(self):
        self.make_folders()
        pools = [self.pool(number, case) for number, case in enumerate(self.cases)]
        pools.append({"name": "innocent", "command": [str(self.tools.hello)], "workers": 2,
                      "listen": [f"127.0.0.1:{self.port}"]})
        file = self.root / "usher.json"
        file.write_text(json.dumps({"pools": pools}))
        return Server([self.tools.usher, "run", "--config", file,
                       "--control", self.root / "control"], self.log)

    def start_strangers(self):
        for words in (words for case in self.cases for words in case.strangers):
            self.strangers.append(subprocess.Popen(
                ["nice", PYTHON, self.root / "programs/stranger.py", *words], user=STRANGER_USER,
                group=STRANGER_USER, extra_groups=[], start_new_session=True,
                env={**os.environ, **self.env}))

    def wait_until_begun(self, server):
        def begun():
            server.check_running()
            log = self.log.read_text(encoding="utf-8", errors="replace")
            return self.said.read_text() or any(c.sign and c.sign in log for c in self.cases)
        wait_until(begun, 15, "the neighbours to begin")

    def connect(self):
        """A client of each hostile pool, which waits for ever."""
        for port in self.ports:
            with contextlib.suppress(OSError):  # some do not listen
                yield socket.create_connection(("127.0.0.1", port))

    def measure(self, seconds):
        try:
            with self.start_server() as server:
                wait_for_workers(server, self.port, 2)
                self.start_strangers()
                clients = list(self.connect())
                self.wait_until_begun(server)
                with contextlib.ExitStack() as stack:
                    site = Site(stack, self.tools)
                    site.hello(site.port)
                    wait_for_workers(site.servers[-1], site.port, 1)
                    gaps = asyncio.run(longest_gaps(self.port, site.port, seconds))
                for client in clients:
                    client.close()
                return gaps
        finally:
            for stranger in self.strangers:
                os.killpg(stranger.pid, signal.SIGKILL)  # with what serves its files
                stranger.wait()


async def longest_gap_answered(port, seconds, rate):
    gap, tasks = await longest_gap_ms(port, seconds, rate)
    await asyncio.gather(*tasks)  # throws if one was not answered
    return gap


async def longest_gaps(port, alone, seconds):
    """Of the innocent pool, and at the same time of a server that has no master."""
    return await asyncio.gather(longest_gap_answered(port, seconds, RATE),
                                longest_gap_answered(alone, seconds, RATE_ALONE))


def run(tools):
    """Yields whether the limit was kept, and the figures."""
    if os.geteuid() != 0:
        raise BenchError("--hostile needs root, to run workers as other users")
    gaps = {}
    for case in cases():
        gaps[case.what] = Neighbourhood(tools, [case]).measure(SECONDS)
        print(f"  {case.what}: {gaps[case.what][0]:.0f} ms", file=sys.stderr)
    gaps["all of it at once, for a minute"] = Neighbourhood(tools, cases()).measure(SECONDS_OF_ALL)

    print(f"{RATE} new connections/s for {SECONDS} s beside neighbours of other users; "
          f"longest time without an answer, ms; limit {LIMIT_MS} more than without usher")
    print_table(["what they do", "usher", "a server without it"],
                [[what, f"{gap:.1f}", f"{alone:.1f}"] for what, (gap, alone) in gaps.items()])
    return all(gap - alone <= LIMIT_MS for gap, alone in gaps.values()), gaps
