#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that docs/worker-protocol.md and scripts/worker-conformance have the same clauses.

    doc_test.py CONFORMANCE PAGE
"""

import re
import subprocess
import sys


def main(conformance, page):
    known = subprocess.run([sys.executable, conformance, "--list"], check=True,
                           capture_output=True, text=True).stdout.splitlines()
    with open(page, encoding="utf-8") as file:
        documented = re.findall(r"^\d+\. \*\*(?:MUST|SHOULD)\*\* .*", file.read(), re.MULTILINE)
    for clause in sorted(set(known) ^ set(documented)):
        print(f"only in the {'program' if clause in known else 'page'}: {clause}")
    return 0 if known and known == documented else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
