"""A saved run as one SVG: for each row a bar per server, the median over the rounds, with a line from the
lowest to the highest."""

import statistics
from html import escape

WIDTH, LEFT, RIGHT = 720, 110, 90  # pixels; the servers' names are at the left, figures at the right
BAR, GAP, TITLE, MARGIN = 18, 8, 34, 16
COLOURS = {"ringward": "#0b6e99", "relay": "#b8b8b8"}
PEER = "#d9a441"
STYLE = "text{font:12px sans-serif;fill:#222}.row{font-weight:bold;font-size:14px}.unit{fill:#666}" \
        ".n{text-anchor:end}.range{stroke:#222;stroke-width:1.5}"


def bar(top, server, figures, scale, decimals):
    middle = top + BAR / 2
    median = statistics.median(figures)
    width = max(0.0, median) * scale
    low, high = (LEFT + max(0.0, figure) * scale for figure in (min(figures), max(figures)))
    out = [f'<text class="n" x="{LEFT - 8}" y="{middle + 4:.1f}">{escape(server)}</text>',
           f'<rect x="{LEFT}" y="{top}" width="{width:.1f}" height="{BAR}" '
           f'fill="{COLOURS.get(server, PEER)}"/>',
           f'<text x="{max(LEFT + width, high) + 6:.1f}" y="{middle + 4:.1f}">{median:.{decimals}f}</text>']
    if high > low:
        out.append(f'<line class="range" x1="{low:.1f}" x2="{high:.1f}" y1="{middle:.1f}" y2="{middle:.1f}"/>')
    return out


def panel(top, row, samples):
    """The row's elements, and where the next one begins."""
    title, field, decimals = row.columns[0]
    figures = {server: [sample[field] for sample in taken] for server, taken in samples.items()}
    most = max(max(taken) for taken in figures.values())
    scale = (WIDTH - LEFT - RIGHT) / most if most > 0 else 0
    out = [f'<text class="row" x="{LEFT}" y="{top + 16}">{escape(row.name)}'
           f'<tspan class="unit" dx="8">{escape(title)}</tspan></text>']
    top += TITLE - GAP
    for server, taken in figures.items():
        out += bar(top, server, taken, scale, decimals)
        top += BAR + GAP
    return out, top + MARGIN


def save(path, rows):
    """`rows`: samples by Row and server. Hands back the path."""
    drawn, top = [], MARGIN
    for row, samples in rows.items():
        elements, top = panel(top, row, samples)
        drawn += elements
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{top}" ' \
           f'viewBox="0 0 {WIDTH} {top}">'
    with open(path, "w") as out:
        out.write("\n".join([head, f"<style>{STYLE}</style>",
                             '<rect width="100%" height="100%" fill="#fff"/>', *drawn, "</svg>", ""]))
    return path
