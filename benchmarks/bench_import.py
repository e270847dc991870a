"""The time that `import glideslope` adds to the start of a bare interpreter.

    python -m benchmarks.bench_import

A fresh process each time, the two in turns, both the CPU time and the time on the clock; the
medians over the turns are shown, and the parts of the import that cost most.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time

TURNS = 25
HEAVY = ("torch", "numba", "matplotlib", "jax", "rich", "typer")


def run(code: str) -> tuple[float, float]:
    """Seconds of CPU time and on the clock of a fresh interpreter that runs ``code``."""
    before, start = os.times(), time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    after, clock = os.times(), time.perf_counter() - start
    used = after.children_user + after.children_system
    return used - before.children_user - before.children_system, clock


def dearest(count: int = 5) -> list[tuple[float, str]]:
    """The modules that take longest to import, with what they import in turn, in milliseconds."""
    command = [sys.executable, "-X", "importtime", "-c", "import glideslope"]
    report = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    lines = [line.removeprefix("import time:").split("|") for line in report.splitlines()[1:]]
    return sorted(((int(total) / 1e3, name.strip()) for _, total, name in lines), reverse=True)[
        :count
    ]


def main() -> None:
    turns = [(run("pass"), run("import glideslope")) for _ in range(TURNS)]
    for index, kind in enumerate(("CPU time", "on the clock")):
        bare = statistics.median(turn[0][index] for turn in turns)
        more = statistics.median(turn[1][index] - turn[0][index] for turn in turns)
        print(f"{kind:14} bare interpreter {1e3 * bare:6.1f} ms, import {1e3 * more:6.1f} ms more")
    code = f"import glideslope, sys; print(*(set({HEAVY}) & set(sys.modules)) or ['nothing heavy'])"
    subprocess.run([sys.executable, "-c", code], check=True)
    for cost, name in dearest():
        print(f"  {cost:8.1f} ms  {name}")


if __name__ == "__main__":
    main()
