"""The two ways a program is started that Ctrl-C must end."""

from __future__ import annotations

STARTS = {
    "usual": [],
    "SIGINT ignored": ["sh", "-c", 'trap "" INT; exec "$@"', "sh"],
}
"""Prefixes of a command; a signal that a shell ignores is ignored by its commands too."""
