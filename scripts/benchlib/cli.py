"""The command line of scripts/bench."""

import argparse
import dataclasses
import json
import os
import pathlib
import platform
import shutil
import signal
import subprocess
import sys
import tempfile

from . import budget, bus, fronts, held, hostile, rounds, stall
from .processes import BenchError, adopt_orphans

ROOT = pathlib.Path(__file__).resolve().parents[2]


@dataclasses.dataclass
class Tools:
    """The programs under measurement and where temporary files go."""

    usher: pathlib.Path
    hello: pathlib.Path
    accept_only_worker: pathlib.Path
    workers: int
    folder: pathlib.Path


def parse(arguments):
    names = [front.name for front in fronts.ALL]
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Measures usher beside other ways to spread connections over workers.",
        epilog="fronts: " + "; ".join(f"{front.name}: {front.what}" for front in fronts.ALL),
    )
    cpus = len(os.sched_getaffinity(0))
    add = parser.add_argument
    add("--rounds", type=positive, default=5, help="rounds over all fronts (%(default)s)")
    add("--seconds", type=positive, default=3, help="length of a run (%(default)s)")
    add("--connections", type=positive, default=64, help="of wrk (%(default)s)")
    add("--workers", type=positive, default=cpus, help="hello workers (CPUs: %(default)s)")
    add("--only", metavar="NAME,...", help="only these fronts: " + ", ".join(names))
    add("--json", metavar="FILE", type=pathlib.Path, help="also write all results to FILE")
    add("--install", action="store_true", help="install the tools that are missing, then run")
    add("--budget", action="store_true", help="check the budgets (counts, not seconds) instead")
    add("--stall", action="store_true", help="measure what a worker that blocks costs the others")
    add("--held", action="store_true", help="measure what it costs clients when a disk, a name "
        "server or the kernel does not answer the master")
    add("--hostile", action="store_true", help="measure what neighbours of other users can do to "
        "clients (takes root)")
    add("--bus", action="store_true", help="measure what the bus carries, and what that costs "
        "clients meanwhile")
    add("--build", metavar="DIR", type=pathlib.Path, default=ROOT / "build", help="build folder")
    options = parser.parse_args(arguments)
    options.only = options.only.split(",") if options.only else names
    if unknown := set(options.only) - set(names):
        parser.error(f"no such front: {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    return options


def positive(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def find_tools(options, folder):
    build = options.build.resolve()
    tools = Tools(
        usher=build / "balancer/usher",
        hello=build / "worker/examples/hello",
        accept_only_worker=build / "tests/bench/accept_only_worker",
        workers=options.workers,
        folder=pathlib.Path(folder),
    )
    for program in (tools.usher, tools.hello):
        if not program.exists():
            raise BenchError(f"{program} is missing: scripts/run builds it")
    warn_about_build(build)
    return tools


def warn_about_build(build):
    try:
        text = (build / "meson-info/intro-buildoptions.json").read_text(encoding="utf-8")
    except OSError:
        return
    values = {option["name"]: option["value"] for option in json.loads(text)}
    if values.get("buildtype") != "release" or values.get("b_sanitize", "none") != "none":
        print("warning: this is not a release build; the rates mean little", file=sys.stderr)


def choose_fronts(names):
    chosen = []
    for front in fronts.ALL:
        if front.name not in names:
            continue
        if reason := front.missing():
            print(f"without {front.name}: {reason} (--install)", file=sys.stderr)
        else:
            chosen.append(front)
    if not chosen:
        raise BenchError("nothing left to measure")
    return chosen


def compare(options, tools):
    if not shutil.which("wrk"):
        raise BenchError("wrk is not installed: scripts/bench --install")
    chosen = choose_fronts(options.only)
    rounds.warn_about_ports(options.seconds)
    runs = len(chosen) * len(rounds.MODES) * options.rounds
    minutes = max(1, round(runs * (options.seconds + 2) / 60))
    print(f"{runs} runs, some {minutes} min", file=sys.stderr)

    results = list(
        rounds.run(chosen, tools, options.rounds, options.seconds, options.connections)
    )
    summary = rounds.summarize(results)
    print(
        f"{options.connections} connections, {options.workers} workers, {options.rounds} rounds "
        f"of {options.seconds} s; {machine()['cpus']} CPUs, the client among them"
    )
    rounds.print_summary(summary)
    return {"summary": summary, "runs": results}


def machine():
    return {"cpus": os.cpu_count(), "kernel": platform.release(), "arch": platform.machine()}


def settings(options):
    keys = ("rounds", "seconds", "connections", "workers", "only")
    return {key: getattr(options, key) for key in keys}


def measure(options, folder):
    tools = find_tools(options, folder)
    kept = True
    if options.budget:
        kept, results = budget.run(tools)
        report = {"budget": results}
    elif options.stall:
        kept, results = stall.run(tools, options.rounds)
        report = {"stall": results}
    elif options.held:
        kept, results = held.run(tools)
        report = {"held": results}
    elif options.hostile:
        kept, results = hostile.run(tools)
        report = {"hostile": results}
    elif options.bus:
        kept, results = bus.run(tools, options.rounds)
        report = {"bus": results}
    else:
        report = compare(options, tools)
    if options.json:
        report = {"machine": machine(), "settings": settings(options), **report}
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0 if kept else 1


def interrupt(*_):
    # Once: what is running is then taken down in peace.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def main(arguments):
    options = parse(arguments)
    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, interrupt)
    adopt_orphans()
    try:
        if options.install:
            subprocess.run([ROOT / "scripts/install-deps", "bench"], check=True)
        with tempfile.TemporaryDirectory(prefix="usher-bench-") as folder:
            return measure(options, folder)
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return 130
    except (BenchError, OSError, subprocess.SubprocessError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
