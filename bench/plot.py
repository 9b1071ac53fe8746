"""bench/plot.py: draws G and H: processor time a message against connections and against the length of the queue, and rates
against processes, as one SVG file without any library."""
import statistics

WIDTH, HEIGHT, GAP = 320, 220, 70
INK, FAINT = "#1f4e79", "#cccccc"


def text(x, y, words, anchor="middle", size=12):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{words}</text>'


def line(x1, y1, x2, y2, colour):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'


def axis(left, top, title, names, most, form):
    """The frame of one panel: its title, a name below each place, three heights."""
    parts = [text(left + WIDTH / 2, top - 14, title, size=13)]
    for share in (0, 0.5, 1):
        y = top + HEIGHT * (1 - share)
        parts += [line(left, y, left + WIDTH, y, FAINT), text(left - 6, y + 4, form.format(most * share), "end", 11)]
    step = WIDTH / len(names)
    return parts + [text(left + step * (at + 0.5), top + HEIGHT + 18, name) for at, name in enumerate(names)]


def panel(left, title, points, form):
    """points: (name, value)."""
    top, most = 40, max(value for _, value in points) * 1.15
    parts = axis(left, top, title, [name for name, _ in points], most, form)
    step = WIDTH / len(points)
    for at, (_, value) in enumerate(points):
        height = HEIGHT * value / most
        x, y = left + step * (at + 0.2), top + HEIGHT - height
        parts += [f'<rect x="{x:.1f}" y="{y:.1f}" width="{step * 0.6:.1f}" height="{height:.1f}" fill="{INK}"/>',
                  text(x + step * 0.3, y - 4, form.format(value), size=11)]
    return parts


def points_of(runs, names):
    """names: key of a figure to the words below its place."""
    return [(words, statistics.median(run[key] for run in runs)) for key, words in names.items()]


def panels(results):
    found = []
    if runs := results.get(("H", "submitd")):
        found.append(("CPU, ms a message, by connections",
                      points_of(runs, {f"cpu_{count}": str(count) for count in (1, 10, 100, 1000)}), "{:.3f}"))
        found.append(("messages/s, by gates and relays",
                      points_of(runs, {"accept_1": "A, 1", "accept_2": "A, 2", "deliver_1": "C, 1", "deliver_2": "C, 2"}), "{:,.0f}"))
    if runs := results.get(("G", "submitd")):
        found.append(("CPU, ms a message, by length of the queue",
                      points_of(runs, {"cpu_empty": "empty", "cpu_tenth": "a tenth", "cpu_full": f"{runs[0]['queued']:,}"}), "{:.3f}"))
    return found


def draw(results, path):
    """Nothing where neither G nor H was measured."""
    drawn = panels(results)
    parts = [part for at, found in enumerate(drawn) for part in panel(GAP + at * (WIDTH + GAP), *found)]
    if drawn:
        width = GAP + len(drawn) * (WIDTH + GAP)
        path.write_text(f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{HEIGHT + 80}" font-family="sans-serif">\n'
                        f'<rect width="100%" height="100%" fill="white"/>\n' + "\n".join(parts) + "\n</svg>\n")
