"""The version of Glideslope."""

__version__ = "0.1.0"
