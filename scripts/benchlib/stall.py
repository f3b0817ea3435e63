"""What a worker that blocks its event loop costs those who are served by the others."""

import asyncio
import json
import statistics
import sys
import time

from .load import request_bytes, wait_for_workers
from .processes import Server, free_port
from .table import print_table

WORKERS = 4
RATE = 300  # new connections a second, whether the earlier ones are answered or not
SECONDS = 2
BLOCK_MS = 1500
LIMIT = 2.0  # p99 while one blocks, over p99 before


async def ask(port, target=b"/"):
    """Latency in seconds, and the slot that answered."""
    start = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request_bytes(close=True).replace(b"GET / ", b"GET " + target + b" "))
    answer = await asyncio.wait_for(reader.read(), 30)
    writer.close()
    head = answer.partition(b"\r\n\r\n")[0].lower().split(b"\r\n")
    slot = next(int(line.split(b":")[1]) for line in head if line.startswith(b"x-slot:"))
    return time.perf_counter() - start, slot


async def drive(port, seconds):
    """Connections at a steady rate: a client that waits must not slow the others down."""
    start = time.perf_counter()
    tasks = []
    for number in range(round(RATE * seconds)):
        await asyncio.sleep(max(0, start + number / RATE - time.perf_counter()))
        tasks.append(asyncio.create_task(ask(port)))
    return await asyncio.gather(*tasks)


def p99_ms(latencies):
    return statistics.quantiles(latencies, n=100)[98] * 1000


async def one_round(port):
    before = await drive(port, SECONDS)
    blocked = asyncio.create_task(ask(port, b"/block?ms=%d" % BLOCK_MS))
    await asyncio.sleep(0)
    during = await drive(port, BLOCK_MS / 1000 - 0.2)
    _, victim = await blocked
    others = [latency for latency, slot in during if slot != victim]
    return p99_ms([latency for latency, _ in before]), p99_ms(others), len(others)


def run(tools, rounds):
    """Yields whether the limit was kept, and the figures."""
    port = free_port()
    config = tools.folder / "stall.json"
    demo = tools.hello.with_name("demo")
    config.write_text(json.dumps({"pools": [{
        "command": [str(demo)], "workers": WORKERS, "listen": f"127.0.0.1:{port}"}]}))
    figures = []
    with Server([tools.usher, "run", "--config", config, "--control", tools.folder / "control"],
                tools.folder / "stall.log") as server:
        wait_for_workers(server, port, WORKERS)
        asyncio.run(drive(port, 0.5))  # warm-up
        for number in range(1, rounds + 1):
            figures.append(asyncio.run(one_round(port)))
            print(f"round {number}/{rounds}", file=sys.stderr)

    ratios = [during / before for before, during, _ in figures]
    print(f"{RATE} new connections/s over {WORKERS} workers, one blocked for {BLOCK_MS} ms; "
          "p99 of those the others answer, ms")
    print_table(["round", "before", "while one blocks", "ratio", "answers"],
                [[str(i + 1), f"{before:.2f}", f"{during:.2f}", f"{during / before:.2f}", str(count)]
                 for i, (before, during, count) in enumerate(figures)])
    ratio = statistics.median(ratios)
    print(f"median ratio {ratio:.2f}, limit {LIMIT}")
    return ratio < LIMIT, [{"before_ms": b, "during_ms": d, "answers": n} for b, d, n in figures]
