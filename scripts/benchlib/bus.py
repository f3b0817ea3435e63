"""What the bus carries, and what that costs those who connect meanwhile."""

import json
import mmap
import pathlib
import statistics
import struct
import subprocess
import sys
import time

from .load import run_wrk, wait_for_workers
from .processes import BenchError, Server, free_port, wait_until
from .table import print_table

RATE = 50_000  # messages a second beside the connections
AS_FAST_AS_IT_CAN = 2**64 - 1
LISTENERS = 4
SECONDS = 3
CONNECTIONS = 64
LEAST_DELIVERIES = 100_000  # a second
LEAST_RATIO, MOST_P99 = 0.90, 1.5


class Talk:
    """A master with a pool whose first worker talks and whose others listen, and a pool `web`."""

    def __init__(self, tools, program, listeners):
        self.tools, self.listeners = tools, listeners
        figures = tools.folder / "figures"
        figures.write_bytes(bytes(64))
        with figures.open("r+b") as file:
            self.figures = mmap.mmap(file.fileno(), 64)
        self.port = free_port()
        self.file = tools.folder / "bus.json"
        self.file.write_text(json.dumps({"pools": [
            {"name": "web", "command": [str(tools.hello)], "workers": 2,
             "listen": [f"127.0.0.1:{self.port}"]},
            {"name": "talk", "command": [str(program), str(figures)], "workers": 1 + listeners,
             "dialect": "none", "start_delay": "100ms"}]}))

    def figure(self, index):
        return struct.unpack_from("Q", self.figures, 8 * index)[0]

    def say(self, rate):
        struct.pack_into("Q", self.figures, 0, rate)

    def start(self):
        return Server([self.tools.usher, "run", "--config", self.file, "--control",
                       self.tools.folder / "control"], self.tools.folder / "bus.log")

    def wait_for_listeners(self, server):
        """Each message is heard by all of them."""
        wait_for_workers(server, self.port, 2)

        def all_listen():
            server.check_running()
            said, heard = self.figure(1), self.figure(2)
            self.say(1_000)
            time.sleep(0.3)
            self.say(0)
            time.sleep(0.3)
            return self.figure(2) - heard == self.listeners * (self.figure(1) - said) > 0

        wait_until(all_listen, 30, "all workers to listen")


def deliveries(tools, program):
    """Messages a second that all listeners together have heard, and those that they have lost."""
    talk = Talk(tools, program, LISTENERS)
    with talk.start() as server:
        talk.wait_for_listeners(server)
        talk.say(AS_FAST_AS_IT_CAN)
        time.sleep(1)
        heard, lost, began = talk.figure(2), talk.figure(3), time.monotonic()
        time.sleep(SECONDS)
        took = time.monotonic() - began
        return (talk.figure(2) - heard) / took, (talk.figure(3) - lost) / took


def beside(tools, program, rounds):
    """Connections a second and p99, without and with messages, interleaved; and those said."""
    talk = Talk(tools, program, 1)
    runs = {0: [], RATE: []}
    said = []
    with talk.start() as server:
        talk.wait_for_listeners(server)
        for number in range(rounds):
            for rate in ((0, RATE), (RATE, 0))[number % 2]:
                talk.say(rate)
                before, began = talk.figure(1), time.monotonic()
                result = run_wrk(talk.port, SECONDS, CONNECTIONS, True)
                if rate:
                    said.append((talk.figure(1) - before) / (time.monotonic() - began))
                runs[rate].append((result["requests"] / result["seconds"], result["p99_us"]))
            print(f"  round {number + 1} of {rounds}", file=sys.stderr)
    medians = {rate: [statistics.median(figure) for figure in zip(*results)]
               for rate, results in runs.items()}
    return medians[0], medians[RATE], statistics.median(said)


def run(tools, rounds):
    """Yields whether the limits were kept, and the figures."""
    program = tools.folder / "bus_talker"
    source = pathlib.Path(__file__).with_name("bus_talker.c")
    try:
        subprocess.run(["cc", "-O2", "-o", program, source], check=True)
    except FileNotFoundError:
        raise BenchError("there is no C compiler: scripts/bench --install") from None
    delivered, lost = deliveries(tools, program)
    (rate, p99), (rate_beside, p99_beside), said = beside(tools, program, rounds)
    ratio, p99_ratio = rate_beside / rate, p99_beside / p99
    print_table(["", "measured", "limit"], [
        [f"deliveries/s to {LISTENERS} listeners", f"{delivered:,.0f}", f"{LEAST_DELIVERIES:,}"],
        ["lost/s, since the listeners did not read in time", f"{lost:,.0f}", ""],
        ["connections/s", f"{rate:,.0f}", ""],
        [f"connections/s beside {said:,.0f} messages/s", f"{rate_beside:,.0f}", ""],
        ["ratio", f"{ratio:.2f}", f"{LEAST_RATIO:.2f}"],
        ["p99, us", f"{p99:,.0f}", ""],
        ["p99 beside messages, us", f"{p99_beside:,.0f}", ""],
        ["ratio of p99", f"{p99_ratio:.2f}", f"{MOST_P99:.2f}"],
    ])
    kept = delivered >= LEAST_DELIVERIES and ratio >= LEAST_RATIO and p99_ratio <= MOST_P99
    return kept, {"deliveries": delivered, "lost": lost, "rates": [rate, rate_beside],
                  "p99_us": [p99, p99_beside], "messages": said}
