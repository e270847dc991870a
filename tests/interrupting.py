"""The two ways a program is started that Ctrl-C must end."""

from __future__ import annotations

STARTS = {
    "usual": [],
    "SIGINT ignored": ["sh", "-c", 'trap "" INT; exec "$@"', "sh"],
}
"""What stands before a command; a shell that ignores a signal leaves it ignored in what it runs."""
