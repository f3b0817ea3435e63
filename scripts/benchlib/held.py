"""How long clients get no answer while something that the master waits for hangs."""

import asyncio
import json
import os
import pathlib
import pwd
import signal
import subprocess
import sys
import time

from .load import request_bytes, wait_for_workers
from .processes import BenchError, Server, free_port, wait_until
from .table import print_table

RATE = 500  # new connections a second: what is between two answers is not the client's
SECONDS = 5
LIMIT_MS = 100


class Site:
    """A master with a pool `web` under load and a pool `other`, and calls that can be held up."""

    def __init__(self, tools, library):
        self.tools, self.library = tools, library
        self.calls = tools.folder / "calls"
        self.calls.mkdir(exist_ok=True)
        self.file = tools.folder / "held.json"
        self.other = tools.folder / "other"
        self.other.unlink(missing_ok=True)
        self.other.symlink_to(tools.hello)
        self.port = free_port()
        self.web = {"name": "web", "command": [str(tools.hello)], "workers": 2,
                    "listen": [f"127.0.0.1:{self.port}"]}
        self.second = {"name": "other", "command": [str(self.other)], "workers": 1,
                       "listen": ["127.0.0.1:0"], "restart": {"first_delay": "10ms"}}
        self.write()

    def write(self):
        self.file.write_text(json.dumps({"pools": [self.web, self.second]}))

    def hold(self, call):
        (self.calls / call).touch()

    def wait_until_held(self, call):
        wait_until((self.calls / f"{call}.held").exists, 15, f"{call} to be held up")

    def release(self):
        for file in self.calls.iterdir():
            file.unlink()

    def start(self):
        self.server = Server(
            [self.tools.usher, "run", "--config", self.file,
             "--control", self.tools.folder / "control"],
            self.tools.folder / "held.log",
            {"LD_PRELOAD": str(self.library), "HOLD_CALLS": str(self.calls)})
        return self.server

    def reload(self):
        os.kill(self.server.pid, signal.SIGHUP)

    def kill_other(self):
        for pid in self.server.tree():
            command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]
            if command == bytes(self.other):
                os.kill(pid, signal.SIGKILL)


def hold_file(site):
    site.file.unlink()
    os.mkfifo(site.file)
    site.reload()
    time.sleep(0.2)


def hold_name(site):
    site.hold("getaddrinfo.localhost")
    site.web["listen"].append("localhost:0")
    site.write()
    site.reload()
    site.wait_until_held("getaddrinfo.localhost")


def hold_account(site):
    name = pwd.getpwuid(os.geteuid()).pw_name
    site.hold(f"getpwnam_r.{name}")
    site.web["user"] = name
    site.write()
    site.reload()
    site.wait_until_held(f"getpwnam_r.{name}")


def hold_start(call):
    def hold(site):
        site.hold(f"{call}.other")
        site.kill_other()
        site.wait_until_held(f"{call}.other")
    return hold


def hold_memory(site):
    site.hold("open.smaps_rollup")
    site.second["max_memory"] = "1GiB"
    site.write()
    site.reload()
    site.wait_until_held("open.smaps_rollup")


def hold_look(site):
    server = pathlib.Path(__file__).parents[2] / "tests/listen_fds/server.py"
    site.hold("open.syscall")
    site.second = {"name": "looked-at", "command": [sys.executable, str(server)], "workers": 1,
                   "dialect": "listen-fds", "listen": ["127.0.0.1:0"]}
    site.write()
    site.reload()
    site.wait_until_held("open.syscall")


def hold_log(site):
    site.hold("open.slow.log")
    site.second["output"] = {"file": str(site.tools.folder / "slow.log")}
    site.write()
    site.reload()
    site.wait_until_held("open.slow.log")


CASES = [
    ("nothing", lambda site: None),
    ("a configuration file that is a FIFO", hold_file),
    ("a name that is looked up", hold_name),
    ("an account that is looked up", hold_account),
    ("a program that is looked for", hold_start("access")),
    ("a program that is executed", hold_start("execve")),
    ("a worker's memory", hold_memory),
    ("a look at what a worker waits for", hold_look),
    ("a log file that is opened", hold_log),
]


async def ask(port, answers):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request_bytes(close=True))
    await asyncio.wait_for(reader.read(), 30)
    answers.append(time.perf_counter())
    writer.close()


async def longest_gap_ms(port, seconds=SECONDS, rate=RATE):
    """Connections at a steady rate, whether the earlier ones are answered or not."""
    answers, tasks = [time.perf_counter()], []
    for number in range(rate * seconds):
        await asyncio.sleep(max(0, answers[0] + number / rate - time.perf_counter()))
        tasks.append(asyncio.create_task(ask(port, answers)))
    answers.append(time.perf_counter())
    gap = max(later - earlier for earlier, later in zip(sorted(answers), sorted(answers)[1:]))
    return gap * 1000, tasks


async def one_case(site, hold):
    hold(site)
    gap, tasks = await longest_gap_ms(site.port)
    site.release()
    await asyncio.gather(*tasks)
    return gap


def run(tools):
    """Yields whether the limit was kept, and the figures."""
    library = tools.folder / "hold_calls.so"
    source = pathlib.Path(__file__).with_name("hold_calls.c")
    try:
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library, source], check=True)
    except FileNotFoundError:
        raise BenchError("there is no C compiler: scripts/bench --install") from None
    gaps = {}
    for what, hold in CASES:
        site = Site(tools, library)
        with site.start() as server:
            wait_for_workers(server, site.port, 2)
            gaps[what] = asyncio.run(one_case(site, hold))
        site.file.unlink()
        print(f"  {what}", file=sys.stderr)

    print(f"{RATE} new connections/s for {SECONDS} s while something hangs; limit {LIMIT_MS} ms")
    print_table(["what hangs", "longest time without an answer, ms"],
                [[what, f"{gap:.1f}"] for what, gap in gaps.items()])
    return max(gaps.values()) <= LIMIT_MS, gaps
