"""The main ratios as a picture for the README: two bars a workload, how many times faster than the best of the others and how
many times less CPU, from the line of the equal to the right, to the left where we are worse. Plain SVG: text stays text, and
colours follow the reader's light or dark theme.
"""
import math
from xml.sax.saxutils import escape

WIDTH, LABELS, NOTES = 860, 290, 180  # pixels: the whole, the names at the left, the words at the right
TOP, ROW, BAR = 74, 38, 11
LEAST, MOST = 1 / 2, 16  # what the axis shows; bars beyond are cut, their words are not
TICKS = (0.5, 1, 2, 4, 8, 16)
STYLE = """
text { font: 13px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328 }
.title { font-size: 16px; font-weight: 600 }
.note { font-size: 11px; fill: #59636e }
.axis { stroke: #d1d9e0 }
.equal { stroke: #59636e }
.rate { fill: #0969da }
.cpu { fill: #6fb1f5 }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc }
  .note { fill: #9198a1 }
  .axis { stroke: #3d444d }
  .equal { stroke: #9198a1 }
  .rate { fill: #4493f8 }
  .cpu { fill: #1c5cab }
}
"""


def x_of(times):
    """Where a ratio stands: the axis is logarithmic."""
    part = math.log(min(MOST, max(LEAST, times)) / LEAST) / math.log(MOST / LEAST)
    return LABELS + part * (WIDTH - LABELS - NOTES)


def text(x, y, words, kind="name", anchor="start"):
    return f'<text class="{kind}" x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{escape(words)}</text>'


def bar(y, times, kind):
    left, right = sorted((x_of(1), x_of(times)))
    return f'<rect class="{kind}" x="{left:.1f}" y="{y:.0f}" width="{max(1, right - left):.1f}" height="{BAR}" rx="2"/>'


def legend(x, kind, words):
    return f'<rect class="{kind}" x="{x}" y="16" width="{BAR}" height="{BAR}" rx="2"/>', text(x + 17, 26, words)


def of(result, figure):
    """The hardest verdict on that figure, as (times better, peer), or None."""
    got = [verdict for verdict in result["goals"] if verdict["figure"] == figure and verdict["best"] and verdict["ratio"]]
    better = [(v["ratio"] if figure == "rate" else 1 / v["ratio"], v["best"]) for v in got]
    return min(better, default=None)


def draw(results):
    shown = [(result, of(result, "rate"), of(result, "cpu")) for result in results["rows"]]
    shown = [one for one in shown if one[1]]
    height = TOP + ROW * len(shown) + 44
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" role="img" '
           'aria-label="How many times faster than its peers sockctl is, and how many times less CPU it takes">',
           f"<style>{STYLE}</style>",
           text(12, 26, "sockctl beside the best of the others", "title"),
           *legend(WIDTH - 230, "rate", "times faster"), *legend(WIDTH - 120, "cpu", "times less CPU")]
    bottom = TOP + ROW * len(shown)
    for tick in TICKS:
        x, kind = f"{x_of(tick):.1f}", "equal" if tick == 1 else "axis"
        out.append(f'<line class="{kind}" x1="{x}" x2="{x}" y1="{TOP - 10}" y2="{bottom}"/>')
        out.append(text(x_of(tick), TOP - 16, f"{tick:g}×", "note", "middle"))
    for number, (result, rate, cpu) in enumerate(shown):
        y = TOP + ROW * number
        out.append(text(12, y + 16, result["title"]))
        out.append(bar(y + 2, rate[0], "rate"))
        out.append(text(WIDTH - NOTES + 10, y + 12, f"{rate[0]:.1f}× {rate[1]}", "note"))
        if cpu:
            out.append(bar(y + 4 + BAR, cpu[0], "cpu"))
            out.append(text(WIDTH - NOTES + 10, y + 14 + BAR, f"{cpu[0]:.1f}× {cpu[1]}", "note"))
    out.append(text(12, bottom + 28, f"sockctl {results['versions']['sockctl']}, {results['date']}, Linux {results['kernel']}, "
                    f"{results['cpus']} × {results['cpu']}, loopback; medians of {results['rounds']} rounds", "note"))
    return "\n".join([*out, "</svg>", ""])
