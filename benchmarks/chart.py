"""Bar charts as SVG, pure: a panel for each comparison, a bar for each contestant, and a whisker between quartiles."""

from __future__ import annotations

from xml.sax.saxutils import escape

from comparison import Comparison, Summary, number, scale

# Pixels.
WIDTH, LABELS, BARS, ROW, BAR, TITLE, GAP = 760, 220, 400, 24, 14, 26, 18
OURS, OTHERS, LINE = "#1f6feb", "#8c959f", "#24292f"
# Legible on a dark page, too, as the chart has a ground of its own.
GROUND = "#ffffff"


def chart(comparisons: list[Comparison]) -> str:
    """Return the SVG document with a panel for each of `comparisons`."""
    parts, top = [], GAP
    for comparison in comparisons:
        parts += _panel(comparison, top)
        top += TITLE + ROW * len(comparison.values) + GAP
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{top}" viewBox="0 0 {WIDTH} {top}" '
        f'font-family="sans-serif" font-size="13" fill="{LINE}">'
    )
    return "\n".join([head, f'<rect width="{WIDTH}" height="{top}" fill="{GROUND}"/>', *parts, "</svg>"]) + "\n"


def _panel(comparison: Comparison, top: int) -> list[str]:
    summaries = comparison.summaries()
    longest = max(one.high for one in summaries)
    factor, unit = scale(comparison.unit, longest)
    title = f"{comparison.title} ({unit}, {comparison.better} is better)"
    parts = [f'<text x="{GAP}" y="{top + 14}" font-weight="bold">{escape(title)}</text>']
    pixels = BARS / longest if longest else 0.0
    for position, one in enumerate(summaries):
        row = top + TITLE + ROW * position
        parts += _bar(one, one.name == comparison.against, row, pixels, factor)
    return parts


def _bar(one: Summary, is_reference: bool, top: int, pixels: float, factor: float) -> list[str]:
    """`pixels` for one of the values' unit, and `factor` of the unit that is shown."""
    middle, end, low, high = top + ROW / 2, one.median * pixels, one.low * pixels, one.high * pixels
    ratio = "" if is_reference or one.ratio == float("inf") else f" ({one.ratio:.2f})"
    return [
        f'<text x="{LABELS - 8}" y="{middle + 4:.1f}" text-anchor="end">{escape(one.name)}</text>',
        f'<rect x="{LABELS}" y="{middle - BAR / 2:.1f}" width="{end:.1f}" height="{BAR}" '
        f'fill="{OURS if one.name.startswith("conductor") else OTHERS}"/>',
        f'<path d="M{LABELS + low:.1f} {middle:.1f}H{LABELS + high:.1f}M{LABELS + low:.1f} {middle - 4:.1f}v8'
        f'M{LABELS + high:.1f} {middle - 4:.1f}v8" stroke="{LINE}" fill="none"/>',
        f'<text x="{LABELS + max(end, high) + 8:.1f}" y="{middle + 4:.1f}">{number(one.median / factor)}{ratio}</text>',
    ]
