"""The results as a picture: a bar for each way, and the limit that the target sets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from bench.measured import Comparison, Series
from bench.report import figure, target

WIDTH, LABELS, RIGHT = 860, 250, 120
BAR, GAP, TITLE, BLOCK = 16, 4, 22, 18
COLOURS = {"ours": "#2f6f9f", "peer": "#b9bec4", "limit": "#c0392b", "met": "#2e7d4f", "text": "#24292f"}
STYLE = 'font-family="system-ui, Helvetica, Arial, sans-serif" font-size="12"'


def draw(comparisons: Sequence[Comparison]) -> str:
    """Returns the picture as SVG."""
    parts: list[str] = []
    top = 10.0
    for one in comparisons:
        parts += _block(one, top)
        top += TITLE + len(one.series) * (BAR + GAP) + BLOCK
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top:.0f}" {STYLE}>'
    ground = f'<rect width="{WIDTH}" height="{top:.0f}" fill="#ffffff"/>'
    return "\n".join([head, ground, *parts, "</svg>"]) + "\n"


def _block(one: Comparison, top: float) -> Iterator[str]:
    limit = _limit(one)
    longest = max([max(s.values) for s in one.series] + ([limit] if limit is not None else [])) * 1.02
    scale = (WIDTH - LABELS - RIGHT) / longest
    yield _text(10, top + 14, one.title, weight="bold")
    yield _text(WIDTH - 10, top + 14, *_verdict(one), anchor="end")
    below = top + TITLE
    for series in one.series:
        yield from _bar(series, one.unit, below, scale, "ours" if series is one.ours else "peer")
        below += BAR + GAP
    if limit is not None:
        x = LABELS + limit * scale
        yield (
            f'<line x1="{x:.1f}" y1="{top + TITLE - 4:.1f}" x2="{x:.1f}" y2="{below:.1f}" '
            f'stroke="{COLOURS["limit"]}" stroke-width="1.5" stroke-dasharray="4 2"/>'
        )


def _bar(series: Series, unit: str, top: float, scale: float, colour: str) -> Iterator[str]:
    middle = top + BAR / 2
    low, high = LABELS + min(series.values) * scale, LABELS + max(series.values) * scale
    yield _text(LABELS - 8, middle + 4, series.name, anchor="end")
    length = series.median * scale
    yield f'<rect x="{LABELS}" y="{top:.1f}" width="{length:.1f}" height="{BAR}" fill="{COLOURS[colour]}"/>'
    yield (
        f'<line x1="{low:.1f}" y1="{middle:.1f}" x2="{high:.1f}" y2="{middle:.1f}" '
        f'stroke="{COLOURS["text"]}" stroke-width="1"/>'
    )
    digits = 2 if series.median < 100 else 0
    yield _text(max(high, LABELS + length) + 8, middle + 4, f"{series.median:.{digits}f} {unit}")


def _limit(one: Comparison) -> float | None:
    """Where ours has to end, on the axis of its bar."""
    if one.target is None or one.peer is None:
        return one.target
    if one.difference:
        return one.peer.median + one.target
    return one.peer.median / one.target if one.inverse else one.peer.median * one.target


def _verdict(one: Comparison) -> tuple[str, str]:
    if one.target is None:
        return (figure(one) if one.peer else "", COLOURS["text"])
    said = f"{figure(one)}, target {target(one)}: {'met' if one.met else 'missed'}"
    return said, COLOURS["met" if one.met else "limit"]


def _text(x: float, y: float, text: str, colour: str = "", *, anchor: str = "start", weight: str = "normal") -> str:
    fill = colour or COLOURS["text"]
    start = f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}" fill="{fill}">'
    return f"{start}{escape(text)}</text>"
