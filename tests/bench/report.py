"""From figures to words: the verdict on each goal, the table on the terminal, and RESULTS.md."""

GIB = float(1 << 30)
OURS = "sockctl"
WORDS = {"rate": "rate", "cpu": "CPU", "p50": "p50", "p99": "p99", "memory": "memory", "loss": "loss", "offered": "offered",
         "instr": "instructions", "took": "took"}
MORE_IS_BETTER = {"rate"}
BY_HAND = "# Measured by hand\n"  # in RESULTS.md: what follows is not ours


def best_of(figure, names, tools):
    have = [name for name in names if figure in tools.get(name, {}).get("median", {})]
    pick = max if figure in MORE_IS_BETTER else min
    return pick(have, key=lambda name: tools[name]["median"][figure]) if have else None


def ratio(ours, theirs):
    if theirs == 0:
        return 1.0 if ours == 0 else float("inf")
    return ours / theirs


def judge(goals, tools):
    """Each goal with the peer that decides it, our ratio to it, and whether it is met: None without a peer to compare."""
    verdicts = []
    mine = tools.get(OURS, {}).get("median", {})
    for goal in goals:
        verdict = {"figure": goal.figure, "factor": goal.factor, "limit": goal.limit, "against": goal.against, "best": None,
                   "ratio": None, "met": None}
        if goal.figure in mine and goal.limit is not None:
            verdict["ratio"], verdict["met"] = mine[goal.figure], mine[goal.figure] <= goal.limit
        elif goal.figure in mine:
            best = best_of(goal.figure, goal.against or [name for name in tools if not name.startswith(OURS)], tools)
            if best:
                got = ratio(mine[goal.figure], tools[best]["median"][goal.figure])
                if goal.figure == "loss" and mine["loss"] <= 0.001:
                    got = min(got, goal.factor)  # none, as far as can be told
                met = got >= goal.factor if goal.figure in MORE_IS_BETTER else got <= goal.factor
                verdict.update(best=best, ratio=got, met=met)
        verdicts.append(verdict)
    return verdicts


def scaled(number, steps):
    for factor, unit in steps:
        if number >= factor:
            break
    number /= factor
    return f"{number:.{0 if number >= 100 else 1 if number >= 10 else 2}f} {unit}".rstrip()


def shown(figure, number, per):
    """A figure with its unit, about three digits."""
    time_steps = [(1, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")]
    if figure == "rate" and per == "byte":
        return scaled(number, [(GIB, "GiB/s"), (1 << 20, "MiB/s")])
    if figure in ("rate", "offered"):
        return scaled(number, [(1e6, "M/s"), (1e3, "k/s"), (1, "/s")])
    if figure == "cpu" and per == "byte":
        return f"{number * GIB:.2f} s/GiB"
    if figure == "cpu":
        return f"{scaled(number, time_steps)}/{per}"
    if figure == "loss":
        return f"{number * 100:.3g} %"
    if figure == "memory":
        return scaled(number, [(1 << 20, "MiB"), (1 << 10, "KiB"), (1, "B")]) if number > 0 else "0"
    if figure == "instr":
        return scaled(number, [(1e6, "M"), (1e3, "k")])
    return scaled(number, time_steps)


def goal_text(goal, signs=("≥", "≤")):
    sign = signs[0] if goal["figure"] in MORE_IS_BETTER else signs[1]
    if goal["limit"] is not None:
        return f"{WORDS[goal['figure']]} {sign} {shown(goal['figure'], goal['limit'], '')}"
    against = " and ".join(goal["against"]) or "the best of the others"
    return f"{WORDS[goal['figure']]} {sign} {goal['factor']:g}× {against}"


def goals_text(goals):
    return "; ".join(goal_text(goal._asdict()) for goal in goals)


def verdict_text(verdict, per):
    if verdict["met"] is None:
        return f"goal {goal_text(verdict)}: no peer to compare with"
    got = shown(verdict["figure"], verdict["ratio"], per) if verdict["limit"] is not None else f"{verdict['ratio']:.2f}×"
    by = f" ({verdict['best']})" if verdict["best"] and len(verdict["against"]) != 1 else ""
    return f"goal {goal_text(verdict)}: {got}{by}, {'met' if verdict['met'] else 'SHORT'}"


def columns(result):
    return [figure for figure in WORDS if any(figure in tool["median"] for tool in result["tools"].values())]


def ranked(result):
    """Ours first, then the others, the fastest first."""
    return sorted(result["tools"], key=lambda name: (not name.startswith(OURS), -result["tools"][name]["median"].get("rate", 0)))


def table(result):
    """Lines of cells, the first with the names of the columns."""
    figures = columns(result)
    yield ["", *(WORDS[figure] for figure in figures)]
    for name in ranked(result):
        median = result["tools"][name]["median"]
        yield [name, *(shown(figure, median[figure], result["per"]) if figure in median else "" for figure in figures)]


def notes(result):
    for name, tool in result["tools"].items():
        if tool["failed"]:
            yield f"{name}: {len(tool['failed'])} of {result['rounds']} runs failed: {tool['failed'][-1]}"
    for name, why in result["skipped"].items():
        yield f"{name}: {why}"


def text(result):
    head = f"{result['name']}: {result['title']}"
    if result["not_run"]:
        return f"{head}\n  skipped: {result['not_run']}\n"
    lines = [head]
    rows = list(table(result))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = ["  " + cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        lines.append("  " + row[0].ljust(widths[0]) + "".join(cells))
    lines += [f"  {note}" for note in notes(result)]
    lines += [f"  {verdict_text(verdict, result['per'])}" for verdict in result["goals"]]
    return "\n".join(lines) + "\n"


def counts(results):
    verdicts = [verdict for result in results["rows"] for verdict in result["goals"]]
    met = sum(verdict["met"] is True for verdict in verdicts)
    short = [f"{result['name']} ({WORDS[verdict['figure']]})" for result in results["rows"] for verdict in result["goals"]
             if verdict["met"] is False]
    return met, short


def closing(results):
    met, short = counts(results)
    skipped = [result["name"] for result in results["rows"] if result["not_run"]]
    lines = [f"{met} goals met, {len(short)} short{': ' + ', '.join(short) if short else ''}"]
    if skipped:
        lines.append(f"skipped: {', '.join(skipped)}")
    return "\n".join(lines + [f"{results['took_s']} s"])


def summary(result, verdict):
    """One line of the table of goals."""
    figure, best = verdict["figure"], verdict["best"] or ""
    if verdict["met"] is None:
        return f"| {result['title']} | {WORDS[figure]} | | | | | {goal_text(verdict)} | no peer to compare with |"
    mine = shown(figure, result["tools"][OURS]["median"][figure], result["per"])
    theirs = shown(figure, result["tools"][best]["median"][figure], result["per"]) if best else ""
    ratio_text = f"{verdict['ratio']:.2f}×" if best else ""
    sign = "≥" if figure in MORE_IS_BETTER else "≤"
    aim = f"{sign} {verdict['factor']:g}×" if verdict["limit"] is None else f"{sign} {shown(figure, verdict['limit'], '')}"
    judged = "met" if verdict["met"] else "**short**"
    return f"| {result['title']} | {WORDS[figure]} | {mine} | {best} | {theirs} | {ratio_text} | {aim} | {judged} |"


def markdown(results):
    """RESULTS.md, whole."""
    met, short = counts(results)
    known = ", ".join(f"{name} {version}" for name, version in results["versions"].items() if name != OURS)
    scale = results["scale"]
    lines = [
        "# sockctl beside its peers", "",
        "Written by `make bench BENCH=--results`; not by hand, but for the end.", "",
        f"- sockctl {results['versions'].get(OURS, '?')}, {results['date']}",
        f"- Linux {results['kernel']}, {results['cpus']} × {results['cpu']}; loopback; files in {results['files']}; "
        f"load average {results['load']:.1f} before",
        f"- the system's congestion control is {results['congestion'] or 'not known'}",
        f"- {known}",
        f"- medians of {results['rounds']} interleaved rounds; streams of {scale['seconds']:g} s, "
        f"files of {scale['bytes'] / GIB:g} GiB",
        "- CPU is that of the tool's own processes, user and system; in rows with two ends of the same tool, of both",
        "- memory is resident memory per connection; a page that n processes share counts as 1/n",
    ]
    if results["counter"]:
        lines.append(f"- instructions are those in user space, of one run, counted by {results['counter']}")
    lines += ["", "![How many times faster and less CPU than the best of the others](ratios.svg)"]
    lines += ["", f"{met} goals met, {len(short)} short.", "", "| workload | figure | sockctl | best peer | | ratio | goal | |",
              "|---|---|---:|---|---:|---:|---:|---|"]
    for result in results["rows"]:
        lines += [summary(result, verdict) for verdict in result["goals"]]
    lines.append("")
    for result in results["rows"]:
        lines += [f"## {result['name']}: {result['title']}", ""]
        if result["not_run"]:
            lines += [f"Skipped: {result['not_run']}.", ""]
            continue
        rows = list(table(result))
        lines += ["| " + " | ".join(row) + " |" for row in rows[:1]]
        lines += ["|---" + "|---:" * (len(rows[0]) - 1) + "|"]
        lines += ["| " + " | ".join(row) + " |" for row in rows[1:]]
        remarks = [*notes(result), *(verdict_text(verdict, result["per"]) for verdict in result["goals"])]
        lines += ["", *(f"- {remark}" for remark in remarks), ""]
    return "\n".join(lines)
