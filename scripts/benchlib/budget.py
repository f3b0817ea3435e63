"""The budgets: counts that do not depend on how fast the machine is.

Each check yields rows (what, measured, limit); measured is a number, or the reason for skipping.
"""

import pathlib
import shutil
import sys
import time

from . import load
from .processes import BenchError, Server, executable, free_port, read_proc, sweep
from .table import print_table
from .tracing import AllocationCounter, Strace

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORKERS = 4
SEQUENTIAL = 5_000
BATCH, BATCHES = 64, 200
KEEPALIVE_CONNECTIONS, KEEPALIVE_REQUESTS = 8, 20_000
FEW, MANY = 1_000, 5_000  # connections
IDLE_SECONDS = 3

SYSCALLS_ALONE = 6
SYSCALLS_WAITING = 1.5
THREADS = 2  # the event loop, and the one that writes the log
NONE = 0.001  # per connection or request: the few of housekeeping, and not one each

# What a worker that accepts and closes cannot do without: the hand-off, the wait, and the end.
WAIT_AND_CLOSE = {"recvmsg", "epoll_ctl", "epoll_wait", "poll", "close"}


def usher_command(tools, port, workers, command):
    return [tools.usher, "run", "--listen", f"127.0.0.1:{port}", "--workers", workers, "--", *command]


def master_of(server, tools):
    """The usher process that has the workers for children."""
    pids = {pid: executable(pid) == str(tools.usher) for pid in server.tree()}
    workers = [pid for pid, is_usher in pids.items() if not is_usher]
    parents = {int(read_proc(pid, "stat").rpartition(")")[2].split()[1]) for pid in workers}
    masters = [pid for pid in parents if pids.get(pid)]
    if len(masters) != 1:
        raise BenchError(f"cannot tell the master among {pids}")
    return masters[0]


# --- system calls of the master


def check_syscalls(tools):
    port = free_port()
    command = usher_command(tools, port, WORKERS, [tools.hello])
    with Server(command, tools.folder / "usher.log") as server:
        load.wait_for_workers(server, port, WORKERS)
        master = master_of(server, tools)
        threads = int(read_proc(master, "status").partition("Threads:")[2].split()[0])
        yield "threads of the master", threads, THREADS

        with Strace(master, tools.folder) as idle:
            time.sleep(IDLE_SECONDS)
        note(f"idle: {idle.total / idle.seconds:.1f} system calls a second", idle, 1)

        with Strace(master, tools.folder) as trace:
            load.sequential(port, SEQUENTIAL)
        note(f"{SEQUENTIAL:,} connections, one at a time", trace, SEQUENTIAL)
        yield ("system calls per connection, one at a time",
               trace.total / SEQUENTIAL, SYSCALLS_ALONE)

        count = BATCH * BATCHES
        with Strace(master, tools.folder) as trace:
            load.waiting_batches(port, master, BATCHES, BATCH)
        note(f"{count:,} connections, {BATCH} waiting", trace, count)
        yield (f"system calls per connection, {BATCH} waiting",
               trace.total / count, SYSCALLS_WAITING)

        with load.KeepAliveClient(port, KEEPALIVE_CONNECTIONS) as client:
            with Strace(master, tools.folder) as trace:
                client.run(KEEPALIVE_REQUESTS)
        note(f"{KEEPALIVE_REQUESTS:,} keep-alive requests in {trace.seconds:.1f} s", trace, 1)
        yield ("system calls per keep-alive request",
               trace.total / KEEPALIVE_REQUESTS, NONE)


def note(title, trace, divisor):
    calls = sorted(trace.calls.items(), key=lambda item: -item[1])
    shown = "  ".join(
        f"{name} {count / divisor:.3f}" if divisor > 1 else f"{name} {count}"
        for name, count in calls
        if count / divisor >= 0.0005
    )
    print(f"  {title}:\n    {shown or 'none'}")


# --- system calls of the worker libraries


def check_worker_syscalls(tools):
    folder = tools.accept_only_worker.parent
    python = {"PYTHONPATH": str(ROOT / "worker/python")}
    for library, command, environment, of_the_language in (
        ("C++", [tools.accept_only_worker], {}, set()),
        ("C", [folder / "accept_only_worker_c"], {}, set()),
        # CPython's socket() asks about whatever descriptor it is given.
        ("Python", [sys.executable, ROOT / "tests/bench/accept_only_worker.py"], python,
         {"getsockname"}),
    ):
        what = f"system calls per hand-off beyond the wait, {library} library"
        if not pathlib.Path(command[0]).exists():
            yield what, f"{command[0]} is not built; scripts/test builds it", NONE
            continue
        busy, idle = worker_traces(tools, command, environment)
        note(f"{SEQUENTIAL:,} hand-offs to the {library} library", busy, SEQUENTIAL)
        calls, beats = (
            sum(count for name, count in trace.calls.items()
                if name not in WAIT_AND_CLOSE | of_the_language)
            for trace in (busy, idle)
        )
        yield what, max(0, calls - beats) / SEQUENTIAL, NONE


def worker_traces(tools, command, environment):
    """What a worker does with hand-offs, and in as much time while nothing comes.

    Of a heartbeat a second a short look sees one more or less, which makes too much of it when it
    is scaled up: so the times are the same, and the difference is one heartbeat at the most.
    """
    port = free_port()
    with Server(usher_command(tools, port, 1, command), tools.folder / "usher.log",
                environment) as server:
        load.wait_for_close(server, port, seconds=20)
        [worker] = [pid for pid in server.tree() if executable(pid) != str(tools.usher)]
        with Strace(worker, tools.folder) as busy:
            load.sequential_silent(port, SEQUENTIAL)
        with Strace(worker, tools.folder) as idle:
            time.sleep(busy.seconds)
    return busy, idle


# --- heap allocations


def check_allocations(tools):
    master_row = "heap allocations per connection, master"
    worker_row = "heap allocations per hand-off, worker library"
    if reason := AllocationCounter.missing():
        yield master_row, reason, NONE
        yield worker_row, reason, NONE
        return

    counter = AllocationCounter(tools.folder)
    yield master_row, master_allocations(tools, counter), NONE
    if tools.accept_only_worker.exists():
        yield worker_row, worker_allocations(tools, counter), NONE
    else:
        yield worker_row, f"{tools.accept_only_worker} is not built; scripts/test builds it", NONE


def master_allocations(tools, counter):
    port = free_port()
    command = usher_command(tools, port, WORKERS, [tools.hello])
    with Server(command, tools.folder / "usher.log", counter.environment) as server:
        load.wait_for_workers(server, port, WORKERS)
        master = master_of(server, tools)
        return slope("master", counter, master, lambda count: load.sequential(port, count))


def worker_allocations(tools, counter):
    port = free_port()
    command = usher_command(tools, port, 1, [tools.accept_only_worker])
    with Server(command, tools.folder / "usher.log", counter.environment) as server:
        load.wait_for_close(server, port, seconds=20)
        [worker] = [p for p in server.tree() if executable(p) == str(tools.accept_only_worker)]
        return slope("worker", counter, worker, lambda count: load.sequential_silent(port, count))


def slope(who, counter, pid, connect):
    """Allocations per connection, from two sizes: what happens only once falls out."""
    before = counter.read(pid)
    connect(FEW)
    few = counter.read(pid) - before
    connect(MANY)
    many = counter.read(pid) - before - few
    print(f"  heap allocations of the {who}: {before:,} before, "
          f"{few:,} in {FEW:,} connections, {many:,} in {MANY:,}")
    return max(0, many - few) / (MANY - FEW)


# --- all of them


def run(tools):
    """Prints the table; yields whether every budget was kept, and the rows for --json."""
    if not shutil.which("strace"):
        raise BenchError("strace is not installed: scripts/bench --install")
    print("Counting:")
    try:
        rows = [*check_syscalls(tools), *check_worker_syscalls(tools), *check_allocations(tools)]
    finally:
        sweep()
    results = []
    for what, measured, limit in rows:
        if isinstance(measured, str):
            verdict = "skipped"
            print(f"  skipped: {what}: {measured}")
        else:
            verdict = "ok" if measured <= limit else "FAIL"
        results.append({"what": what, "measured": measured, "limit": limit, "verdict": verdict})
    print(f"\nBudgets, master with {WORKERS} workers\n")
    print_table(
        ["budget", "measured", "limit", "verdict"],
        [
            [r["what"], "-" if r["verdict"] == "skipped" else f"{r['measured']:.4g}",
             f"{r['limit']:g}", r["verdict"]]
            for r in results
        ],
    )
    return all(r["verdict"] != "FAIL" for r in results), results
