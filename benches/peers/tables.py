"""The results as tables in Markdown, and those in `docs/speed.md`."""

BEGIN, END = "<!-- The tables from here on are written by benches/peers/run.sh --docs. -->", "<!-- The tables end here. -->"
OURS = "crawl"


def number(value, digits=2):
    if value is None:
        return "–"
    if isinstance(value, int) or value >= 1000:
        return f"{value:,.0f}"
    # So many digits that matter.
    return f"{value:.{digits}g}" if value < 1 else f"{value:.{max(0, digits - len(str(int(value))))}f}"


def ratio(value, ours):
    return f"{value / ours:.1f}" if value and ours else "–"


def table(columns, rows):
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows])


def name(run):
    given = f"**{run['crawler']}**" if run["crawler"].startswith(OURS) else run["crawler"]
    return f"{given} (cut off after {run['wall']:.0f} s)" if run["ended"] == "limit" else given


def per_thousand(run):
    return 1000 * run["cpu"] / max(1, run["found"])


def of(runs, part, **what):
    return [run for run in runs if run["part"] == part and all(run.get(key) == value for key, value in what.items())]


def ours(runs):
    return next((run for run in runs if run["crawler"] == OURS), None)


def merged(several):
    """Results of several races as those of one. What two of them have is taken from the later one."""
    whole = {"machine": several[-1]["machine"], "quick": any(one["quick"] for one in several), "versions": {}, "skipped": {}, "runs": []}
    for one in several:
        seats = {seat(run) for run in one["runs"]}
        whole["runs"] = [run for run in whole["runs"] if seat(run) not in seats] + one["runs"]
        whole["versions"] |= one["versions"]
        whole["skipped"] |= one["skipped"]
    whole["skipped"] = {name: why for name, why in whole["skipped"].items() if name not in whole["versions"]}
    # Everybody keeps the place that he had when he was first named.
    order = list(dict.fromkeys(run["crawler"] for one in several for run in one["runs"]))
    whole["runs"].sort(key=lambda run: order.index(run["crawler"]))
    return whole


def seat(run):
    return run["part"], run["crawler"], run.get("site"), run.get("careful")


def one_host(runs, site):
    """Of each crawler the crawl with the least CPU; lost pages and requests beyond are the worst of all of its crawls."""
    best = []
    for crawler in dict.fromkeys(run["crawler"] for run in runs):
        mine = [run for run in runs if run["crawler"] == crawler]
        chosen = min(mine, key=per_thousand) | {"rounds": len(mine)}
        best.append(chosen | {key: max(run[key] for run in mine) for key in ("lost", "beyond")})
    us = ours(best)
    us = us and {"cpu": per_thousand(us), "pace": us["found"] / us["wall"], "memory": us["memory_mb"]}
    columns = ["crawler", "connections", "CPU s per 1,000 pages", "× crawl", "pages/s", "crawl ×", "peak MB", "× crawl", "found", "lost", "requests beyond"]
    rows = []
    for run in best:
        pace = run["found"] / run["wall"]
        rows.append(
            [name(run), run["connections"], number(per_thousand(run)), ratio(per_thousand(run), us and us["cpu"]), number(pace, 3),
             ratio(us and us["pace"], pace), number(run["memory_mb"]), ratio(run["memory_mb"], us and us["memory"]),
             number(run["found"]), number(run["lost"]), number(run["beyond"])]
        )  # fmt: skip
    return f"### (a) One host, no delay: {site} pages\n\n{table(columns, rows)}"


def many_hosts(runs):
    us = ours(runs)
    columns = ["crawler", "s", "over ideal", "pages lost", "gaps", "short", "hard", "least gap ms", "hosts without robots.txt first", "closed paths asked", "CPU s per 1,000 pages", "× crawl", "peak MB"]
    rows = [
        [name(run), number(run["seconds"], 3), run["over_ideal"] or "–", number(run["lost"]), number(run["gaps"]), number(run["short"]),
         number(run["hard"]), number(run["least_gap_ms"]), number(run["without_robots"]), number(run["closed_asked"]),
         number(per_thousand(run)), ratio(per_thousand(run), us and per_thousand(us)), number(run["memory_mb"])]
        for run in runs
    ]  # fmt: skip
    return f"### (b) {runs[0]['hosts']:,} hosts, a delay of 1 s\n\n{table(columns, rows)}"


def limited(runs):
    columns = ["crawler", f"pages lost of {runs[0]['pages']}", "answers of 429", "inside a Retry-After", "s", "over ideal", "exit status"]
    rows = [
        [name(run) + (", told to retry" if run["careful"] else ""), number(run["lost"]), number(run["refused"]), number(run["inside"]),
         number(run["seconds"], 3), run["over_ideal"] or "–", run["exit"]]
        for run in runs
    ]  # fmt: skip
    return f"### (c) A host that allows 5 requests a second\n\n{table(columns, rows)}"


def second_round(runs):
    columns = ["crawler", "requests", "conditional", "304", "MB", "MB the first time", f"pages seen again of {runs[0]['pages']:,}", "items", "CPU s", "of the first round's"]
    rows = [
        [name(run), number(run["requests"]), number(run["conditional"]), number(run["unchanged"]), number(run["megabytes"]),
         number(run["megabytes_first"]), number(run["found"]), number(run["items"]), number(run["cpu"]), ratio(run["cpu"], run["cpu_first"])]
        for run in runs
    ]  # fmt: skip
    return f"### (d) The second crawl of an unchanged site\n\n{table(columns, rows)}"


def killed(runs):
    columns = ["crawler", "fetched before", "after", "twice", "never", "items lost", "items twice", "s to the end"]
    rows = [
        [name(run), run["missed"], *[""] * 6] if "missed" in run else
        [name(run), *(number(run[key]) for key in ("before", "after", "twice", "never", "items_lost", "items_twice")), number(run["seconds"])]
        for run in runs
    ]  # fmt: skip
    return f"### (e) kill -9 at half, and started again\n\n{table(columns, rows)}"


def about(results):
    versions = "; ".join(text for crawler, text in results["versions"].items() if not crawler.startswith("crawl,"))
    others = max((run["others_on_core"] for run in results["runs"]), default=0)
    lines = [
        f"A machine of {results['machine']['cores']} cores: nginx on one, the crawler on another. {versions}.",
        f"Other work took at most {100 * others:.0f} % of the crawler's core"
        + (": CPU and pages/s are rough." if others > 0.15 else "."),
    ]
    lines += [f"Not there: {crawler} ({why})." for crawler, why in results["skipped"].items()]
    if results["quick"]:
        lines.append("The quick race: one round, fewer hosts.")
    return "\n".join(lines)


def markdown(results):
    runs = results["runs"]
    parts = [about(results)]
    for site in ("small", "large"):
        if of(runs, "a", site=site):
            parts.append(one_host(of(runs, "a", site=site), site))
    for part, text in (("b", many_hosts), ("c", limited), ("d", second_round), ("e", killed)):
        if of(runs, part):
            parts.append(text(of(runs, part)))
    return "\n\n".join(parts) + "\n"


def into_page(page, text):
    """Puts the tables between the two marks of a page."""
    before, rest = page.read_text().split(BEGIN)
    after = rest.split(END)[1]
    page.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}")
