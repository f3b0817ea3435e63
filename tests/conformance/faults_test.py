#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that scripts/worker-conformance finds each fault by the very clause that it breaks.

    faults_test.py CONFORMANCE FAULTY_WORKER
"""

import concurrent.futures
import subprocess
import sys

# Clauses that are tried with each fault, to see that they pass.
BASIC = [1, 2, 3, 6, 14, 19]
BUS = list(range(31, 38))

# Fault to the clauses that fail.  More than one where what is broken is part of others' trials.
EXPECTED = {
    "none": [],
    "ready-twice": [2],
    "says-garbage": [3],
    "any-protocol": [4],
    "inheritable-descriptors": [5],
    "first-of-batch": [7, 12, 13],
    "leaks-descriptors": [8],
    "inheritable-connections": [9],
    "known-clients-only": [10],
    "refuses-reclaimed": [11],
    "records-of-80-bytes": [12],
    "no-headroom": [13],
    "writes-to-hand-off": [14],
    "trusts-close": [15],
    "no-accepted": [16, 18, 25, 27],
    "no-closed": [17],
    "counts-one-too-many": [16, 18],
    "writes-elsewhere": [19],
    "no-heartbeat": [20],
    "heartbeat-of-another-clock": [21],
    "dies-of-the-unknown": [22, 23],
    "dies-of-garbage": [23],
    "drain-drops-the-queue": [24],
    "end-drops-connections": [25, 27, 28],
    "never-exits": [26, 27, 28, 29],
    "exits-with-3": [27],
    "ignores-sigterm": [30],
    "no-bus": [],
    "garbage-on-the-bus": [31],
    "no-object-on-the-bus": [31],
    "no-type-on-the-bus": [31],
    "too-long-a-line": [31],
    "no-end-of-line": [31, 35],  # what it says next is part of the line
    "dies-of-unknown-lines": [32, 33],
    "dies-of-unknown-members": [32],
    "forgets-half-lines": [33],
    "takes-few-lines-at-once": [33],
    "dies-of-losses": [34],
    "dies-of-errors-without-id": [34],
    "answers-no-request": [35],
    "answers-twice": [35],
    "ends-with-the-bus": [28, 36],
    "inheritable-bus": [37],
}


def failed_clauses(conformance, command, clauses=(), timeout=5):
    """The failed clauses, the exit code, and all that was said."""
    only = ["--clauses", ",".join(map(str, clauses))] if clauses else []
    done = subprocess.run([sys.executable, conformance, "--strict", "--timeout", str(timeout),
                           *only, "--", *command], capture_output=True, text=True)
    failed = [int(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("FAIL")]
    return failed, done.returncode, done.stdout + done.stderr


def main(conformance, faulty_worker):
    def try_fault(fault):
        expected = EXPECTED[fault]
        tried = BASIC + (BUS if max(expected, default=0) in BUS else []) + expected

        def attempt(**options):
            return failed_clauses(conformance, [sys.executable, faulty_worker, fault],
                                  tried if expected else (), **options)

        outcome = attempt()
        # On a busy machine 5 s may be too short for what works, but 30 s is too long for most.
        return outcome if outcome[0] == expected else attempt(timeout=30)

    wrong = 0
    with concurrent.futures.ThreadPoolExecutor(3) as pool:  # they mostly wait
        for (fault, expected), (failed, code, text) in zip(EXPECTED.items(),
                                                           pool.map(try_fault, EXPECTED)):
            right = (failed == expected and code == (1 if expected else 0) and
                     ("It does not use the bus." in text) == (fault == "no-bus"))
            print(f"{'ok   ' if right else 'WRONG'} {fault}: {failed}", flush=True)
            if not right:
                print(f"expected {expected}; exit code {code}\n{text}")
                wrong += 1

    # What never says hello gets no further, and clause 1 is the one to say so.
    for command in (["/bin/false"], [sys.executable, faulty_worker, "ready-before-hello"]):
        failed, code, text = failed_clauses(conformance, command)
        if code != 1 or failed[:1] != [1] or len(failed) < 20:
            print(f"WRONG {command}: {failed}, exit code {code}\n{text}")
            wrong += 1
    failed, code, text = failed_clauses(conformance, ["/no/such/worker"])
    if code != 2 or text != "worker-conformance: /no/such/worker: No such file or directory\n":
        print(f"WRONG no such program: exit code {code}\n{text}")
        wrong += 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
