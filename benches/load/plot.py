"""The plot: a bar of CPU time a request for each row, as SVG that can be read on a light and on a dark ground."""

from typing import NamedTuple
from xml.sax.saxutils import escape

WIDTH, LABELS, RIGHT = 860, 330, 96
BAR, GAP, TOP, BOTTOM = 16, 8, 66, 34
STYLE = """
    text { font: 12px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2328; }
    .title { font-size: 15px; font-weight: 600; }
    .quiet { fill: #59636e; }
    .grid { stroke: #d1d9e0; }
    .ours-user { fill: #0f62c9; } .ours-system { fill: #79b1f5; }
    .others-user { fill: #6e7781; } .others-system { fill: #b4bcc5; }
    @media (prefers-color-scheme: dark) {
      text { fill: #f0f6fc; } .quiet { fill: #9198a1; } .grid { stroke: #3d444d; }
      .ours-user { fill: #4493f8; } .ours-system { fill: #1f4f8f; }
      .others-user { fill: #9198a1; } .others-system { fill: #4c545d; }
    }"""


class Bar(NamedTuple):
    """Microseconds a request in user space and in the kernel."""

    label: str
    user: float
    system: float
    ours: bool


def svg(title, subtitle, bars):
    height = TOP + len(bars) * (BAR + GAP) + BOTTOM
    longest = max(bar.user + bar.system for bar in bars)
    step = grid_step(longest)
    scale = (WIDTH - LABELS - RIGHT) / max(longest, step)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">',
             f"  <title>{escape(title)}</title>\n  <style>{STYLE}\n  </style>",
             text(16, 24, title, "title"), text(16, 42, subtitle, "quiet"), *legend(), *grid(step, longest, scale, height)]
    for number, bar in enumerate(bars):
        parts += drawn(bar, TOP + number * (BAR + GAP), scale)
    parts.append(text(LABELS, height - 4, "CPU µs a request", "quiet"))
    return "\n".join([*parts, "</svg>"]) + "\n"


def drawn(bar, y, scale):
    kind, user, whole = ("ours" if bar.ours else "others"), bar.user * scale, (bar.user + bar.system) * scale
    middle = y + BAR - 4
    return [text(LABELS - 8, middle, bar.label, "", "end"),
            rectangle(LABELS, y, user, f"{kind}-user"), rectangle(LABELS + user, y, whole - user, f"{kind}-system"),
            text(LABELS + whole + 6, middle, f"{bar.user + bar.system:.1f}")]


def legend():
    """Both colours of a part side by side: the gateway's, and the others'."""
    parts, x = [], WIDTH - 250
    for what in ("user", "system"):
        parts += [rectangle(x, 14, 10, f"ours-{what}", 10), rectangle(x + 11, 14, 10, f"others-{what}", 10)]
        parts.append(text(x + 26, 23, "user space" if what == "user" else "kernel"))
        x += 130
    return parts


def grid(step, longest, scale, height):
    parts, at, bottom = [], 0, height - BOTTOM
    while at <= longest:
        x = LABELS + at * scale
        parts.append(f'  <line class="grid" x1="{x:.1f}" y1="{TOP - 6}" x2="{x:.1f}" y2="{bottom}"/>')
        parts.append(text(x, bottom + 14, f"{at:g}", "quiet", "middle"))
        at += step
    return parts


def grid_step(longest):
    """Such that there are four to ten lines."""
    step = 1
    while longest / step > 10:
        step = step * 2 if str(step)[0] in "15" else step * 5 // 2
    return step


def text(x, y, content, kind="", anchor="start"):
    named = f' class="{kind}"' if kind else ""
    return f'  <text x="{x:.1f}" y="{y}"{named} text-anchor="{anchor}">{escape(content)}</text>'


def rectangle(x, y, width, kind, height=BAR):
    return f'  <rect class="{kind}" x="{x:.1f}" y="{y}" width="{max(width, 0):.1f}" height="{height}"/>'
