"""A picture of a run: for each test with a bar, how many times native's time every file system takes. SVG, written by hand."""
import html
import math

from figures import ratio
from variants import OUR_KINDS

COLOURS = {"mem": ("#1b6ca8", "#63b3ed"), "pass": ("#b83280", "#f687b3"), "through": ("#dd6b20",),
           "peer": ("#4a5568", "#718096", "#a0aec0", "#38a169", "#9ae6b4", "#805ad5", "#b794f4", "#744210")}
LEFT, ROW, TOP, WIDTH = 190, 20, 70, 1000


def plot(figures, kinds, bars):
    tests = [t for t in dict.fromkeys(b.test for b in bars if b.base == "native") if figures.wall(t, "native")]
    limits = {(b.test, kind): b.of(kind) for b in bars if b.base == "native" for kind in OUR_KINDS if b.of(kind)}
    names = [n for n in kinds if n != "native"]
    ratios = {(t, n): ratio(figures.wall(t, n), figures.wall(t, "native")) for t in tests for n in names}
    largest = max([r for r in ratios.values() if r] + [10])
    low, high = math.log10(0.1), math.log10(largest * 1.2)

    def x(value):
        return LEFT + (math.log10(max(value, 0.1)) - low) / (high - low) * (WIDTH - LEFT - 20)

    height = TOP + ROW * len(tests) + 30
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="sans-serif" font-size="11">',
           f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
           '<text x="10" y="18" font-size="14">Time over native tmpfs (logarithmic; left is faster; |: our bar)</text>']
    colour, used = {"native": "#000"}, {}
    for number, name in enumerate(names):
        shades = COLOURS[kinds[name]]
        used[kinds[name]] = used.get(kinds[name], -1) + 1
        colour[name] = shades[used[kinds[name]] % len(shades)]
        at_x, at_y = 10 + number % 8 * 122, 36 + number // 8 * 16
        out.append(f'<circle cx="{at_x}" cy="{at_y - 4}" r="4" fill="{colour[name]}"/><text x="{at_x + 8}" y="{at_y}">{html.escape(name)}</text>')
    for decade in range(-1, int(high) + 1):
        for step in (1, 2, 5):
            value = step * 10.0**decade
            if math.log10(value) <= high:
                out.append(f'<line x1="{x(value):.1f}" x2="{x(value):.1f}" y1="{TOP}" y2="{height - 25}" stroke="{"#999" if value == 1 else "#e5e5e5"}"/>'
                           f'<text x="{x(value):.1f}" y="{height - 10}" text-anchor="middle">{value:g}</text>')
    for row, test in enumerate(tests):
        y = TOP + ROW * row + ROW // 2
        out.append(f'<text x="{LEFT - 10}" y="{y + 4}" text-anchor="end">{html.escape(test)}</text>')
        for kind in OUR_KINDS:
            if (test, kind) in limits and kind in kinds.values():
                at = x(limits[test, kind])
                out.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{y - 8}" y2="{y + 8}" stroke="{COLOURS[kind][0]}" stroke-width="2"/>')
        for name in reversed(names):  # ours lie above the others
            if ratios[test, name]:
                out.append(f'<circle cx="{x(ratios[test, name]):.1f}" cy="{y}" r="4" fill="{colour[name]}" fill-opacity="0.85">'
                           f'<title>{html.escape(name)}: {ratios[test, name]:.2f}</title></circle>')
    return "\n".join(out + ["</svg>"]) + "\n"
