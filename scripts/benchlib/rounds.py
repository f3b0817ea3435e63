"""The comparison: every front, every mode, round after round."""

import pathlib
import statistics
import sys

from . import fronts
from .load import run_wrk
from .processes import cpu_ns
from .table import print_table

MODES = [("close", "One request per connection"), ("keepalive", "Keep-alive requests")]


def run(chosen, tools, rounds, seconds, connections):
    """Yields one dict per run of wrk; the order of the fronts moves on by one each round."""
    for round_number in range(1, rounds + 1):
        turn = (round_number - 1) % len(chosen)
        for front in chosen[turn:] + chosen[:turn]:
            # Fresh processes and a fresh port each time: nobody inherits the other mode's memory,
            # or the ports of connections that are still in TIME_WAIT.
            for mode, _ in MODES:
                result = measure(front, tools, mode, seconds, connections)
                result["round"] = round_number
                progress(rounds, result)
                yield result


def measure(front, tools, mode, seconds, connections):
    with fronts.running(front, tools) as (port, split):
        close = mode == "close"
        run_wrk(port, 1, connections, close)  # warm-up, not counted
        front_pids, worker_pids = split()
        front_before, workers_before = cpu_ns(front_pids), cpu_ns(worker_pids)
        result = run_wrk(port, seconds, connections, close)
        requests = max(result["requests"], 1)
        return {
            "front": front.name,
            "mode": mode,
            "rate": result["requests"] / result["seconds"],
            "front_us": (cpu_ns(front_pids) - front_before) / 1000 / requests,
            "workers_us": (cpu_ns(worker_pids) - workers_before) / 1000 / requests,
            **result,
        }


def progress(rounds, result):
    print(
        f"round {result['round']}/{rounds}  {result['front']:<8} {result['mode']:<9} "
        f"{result['rate']:>9,.0f} req/s",
        file=sys.stderr,
    )


def warn_about_ports(seconds):
    """wrk uses up client ports in the close mode; says so if they may not suffice."""
    net = pathlib.Path("/proc/sys/net/ipv4")
    low, high = map(int, (net / "ip_local_port_range").read_text().split())
    reuse = (net / "tcp_tw_reuse").read_text().strip()
    # Without reuse a port is back after a minute, and each run has a server port of its own.
    if reuse == "0" and (seconds + 1) * 20_000 > high - low:
        print(
            f"warning: tcp_tw_reuse is 0 and there are {high - low} client ports: "
            "expect connect errors, or use shorter runs (--seconds 1)",
            file=sys.stderr,
        )


# --- the summary


def summarize(runs):
    """One dict per mode and front: medians over the rounds, and the ratio to usher."""
    rates = {(r["mode"], r["round"], r["front"]): r["rate"] for r in runs}
    summary = []
    for mode, _ in MODES:
        for name in dict.fromkeys(r["front"] for r in sorted(runs, key=position)):
            mine = [r for r in runs if r["mode"] == mode and r["front"] == name]
            if not mine:
                continue
            ratios = [
                r["rate"] / usher
                for r in mine
                if (usher := rates.get((mode, r["round"], "usher")))
            ]
            errors = {}
            for r in mine:
                for kind, count in r["errors"].items():
                    errors[kind] = errors.get(kind, 0) + count
            summary.append({
                "mode": mode,
                "front": name,
                "rate": statistics.median(r["rate"] for r in mine),
                "rate_min": min(r["rate"] for r in mine),
                "rate_max": max(r["rate"] for r in mine),
                **{
                    key: statistics.median(r[key] for r in mine)
                    for key in ("p50_us", "p99_us", "front_us", "workers_us")
                },
                "errors": {kind: count for kind, count in errors.items() if count},
                "ratio": statistics.median(ratios) if ratios else None,
            })
    return summary


def position(result):
    return [front.name for front in fronts.ALL].index(result["front"])


def print_summary(summary):
    for mode, title in MODES:
        rows = [
            [
                s["front"],
                f"{s['rate']:,.0f}",
                f"({s['rate_min']:,.0f}..{s['rate_max']:,.0f})",
                f"{s['p50_us'] / 1000:.2f}",
                f"{s['p99_us'] / 1000:.2f}",
                f"{s['front_us']:.1f}",
                f"{s['workers_us']:.1f}",
                ", ".join(f"{count} {kind}" for kind, count in s["errors"].items()) or "0",
                f"{s['ratio']:.2f}" if s["ratio"] else "-",
            ]
            for s in summary
            if s["mode"] == mode
        ]
        print(f"\n{title}\n")
        print_table(
            ["front", "req/s", "(min..max)", "p50 ms", "p99 ms", "front us/req", "workers us/req",
             "errors", "rate/usher"],
            rows,
        )
