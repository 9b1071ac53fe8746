"""bench/table.py: one aligned table from all runs: median (least..most) for each server, submitd through the others, and
what was reached of what is to be reached."""
import statistics

WIDTH = 42
MISHAPS = {"unexpected": "UNEXPECTED REPLIES, all rounds", "lost": "LOST, all rounds", "duplicates": "arrived twice, all rounds"}


def median(runs, key):
    return statistics.median(run[key] for run in runs)


def spread(runs, row):
    """Median (least..most)."""
    values = [run[row.key] for run in runs]
    text = row.form.format(statistics.median(values))
    if len(values) == 1 or min(values) == max(values):
        return text
    return f"{text} ({row.form.format(min(values))}..{row.form.format(max(values))})"


def ratio(results, work, row, name):
    """submitd through this server: the median over the rounds, each with itself, since what else the machine did met both; None
    where there is none."""
    ours, theirs = results.get((work, "submitd")), results.get((work, name))
    if name == "submitd" or not ours or not theirs or not row.compares:
        return None
    shares = [run[row.key] / other[row.key] for run, other in zip(ours, theirs) if other.get(row.key) and row.key in run]
    return statistics.median(shares) if shares else None


def cell(results, work, row, name):
    runs = results.get((work, name))
    if not runs or any(row.key not in run for run in runs):
        return "-"
    share = ratio(results, work, row, name)
    return spread(runs, row) + (f" [{share:.2f}]" if share is not None else "")


def mishaps(results, work, names):
    """Rows for what went wrong in any run; none where nothing did."""
    rows = []
    for key, words in MISHAPS.items():
        counts = [sum(run.get(key, 0) for run in results.get((work, name), [])) for name in names]
        if any(counts):
            rows.append((f"  {words}", [f"{count:,}" if count else "-" for count in counts]))
    return rows


def show(works, names, labels, results):
    """names: of the servers, in order; labels: what stands above their columns."""
    lines = []
    for key, work in works.items():
        if any((key, name) in results for name in names):
            lines.append((work.title, None))
            lines += [("  " + row.words, cells) for row in work.rows
                      if set(cells := [cell(results, key, row, name) for name in names]) != {"-"}]
            lines += mishaps(results, key, names)
    widths = [max([len(label)] + [len(cells[at]) for _, cells in lines if cells]) for at, label in enumerate(labels)]
    print()
    for words, cells in [("median (least..most) [submitd through it]", labels), *lines]:
        print(f"{words:{WIDTH}}" + "".join(f"  {text:>{width}}" for text, width in zip(cells or [], widths)))


def judge(results, work, row, goal):
    """(what was measured, whether that is enough); None where it was not measured."""
    name, way, bound = goal
    if (work, "submitd") not in results or row.key not in results[work, "submitd"][0]:
        return None
    label, value = "", median(results[work, "submitd"], row.key)
    if name:
        label, value = f" through {name}'s", ratio(results, work, row, name.lower())
    if value is None:
        return None
    words = "at least" if way == "least" else "at most"
    good = value >= bound if way == "least" else value <= bound
    return f"{row.words}{label}: {value:.3g}, to be {words} {bound:.3g}", good


def show_goals(works, results):
    verdicts = [(key, judge(results, key, row, goal)) for key, work in works.items() for row in work.rows for goal in row.goals]
    verdicts = [(key, verdict) for key, verdict in verdicts if verdict]
    if verdicts:
        print("\nto be reached (on two cores):")
    for key, (text, good) in verdicts:
        print(f"  {'reached' if good else 'MISSED ':8} {key:3} {text}")
