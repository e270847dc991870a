"""Runs every benchmark of this folder, or those named: `python -m benchmarks curve import`."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path


def main(names: list[str]) -> None:
    known = [path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py")]
    for name in names or sorted(known):
        if name not in known:
            sys.exit(f"no benchmark `{name}`; there are {', '.join(sorted(known))}")
        print(f"== {name}", flush=True)
        import_module(f"benchmarks.bench_{name}").main()


if __name__ == "__main__":
    main(sys.argv[1:])
