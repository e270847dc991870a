"""A schedule as an SVG in the page's own colours, light and dark."""

from __future__ import annotations

from html import escape

from glideslope import Schedule

WIDTH, HEIGHT = 280, 110
LEFT, RIGHT, TOP, BOTTOM = 6, 274, 22, 90


def figure(schedule: Schedule, columns: int = 134) -> str:
    """The curve as an HTML figure, in one line; its label says what the picture shows."""
    stop = schedule.view_steps()
    outline = schedule.outline(stop, columns)
    steps, values = outline
    low, high = outline.limits

    def point(step: float, value: float) -> str:
        x = LEFT + (RIGHT - LEFT) * step / stop
        y = BOTTOM - (BOTTOM - TOP) * (value - low) / (high - low)
        return f"{x:.1f},{y:.1f}"

    curve = " ".join(dict.fromkeys(map(point, steps, values)))
    ground = min(max(0.0, low), high)
    left, right = point(0, ground), point(stop, ground)
    first, last = float(values[0]), float(values[-1])
    label = (
        f"Curve of {schedule}: {first:.3g} at step 0, {last:.3g} at step {stop:.0f},"
        f" highest {max(values):.3g}"
    )
    return (
        f'<figure class="curve"><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        f' aria-label="{escape(label)}">'
        f'<path class="area" d="M{left} L{curve} L{right}"/>'
        f'<path class="ground" d="M{left} L{right}"/>'
        f'<polyline points="{curve}"/>'
        f'<text x="{LEFT}" y="{HEIGHT - 4}">{first:.3g}</text>'
        f'<text x="{RIGHT}" y="{HEIGHT - 4}" text-anchor="end">{last:.3g} at {stop:,.0f}</text>'
        f'<text x="{LEFT}" y="14">highest {max(values):.3g}</text>'
        "</svg></figure>"
    )
