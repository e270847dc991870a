"""``python -m glideslope`` is the command line."""

from __future__ import annotations

from glideslope.cli import main

if __name__ == "__main__":
    main()
