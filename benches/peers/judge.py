"""What a crawler did, by the server's log alone.

nginx writes the end of each answer and how long it took, both in whole milliseconds; a request began at the difference. So a gap
counts as short only if it is more than 3 ms under the delay, and as hard if it is under 90 % of it.
"""

import json
from collections import Counter, defaultdict
from urllib.parse import unquote

from web import CLOSED

TOLERANCE = 0.003


def read(log, offset):
    """The requests of the log behind an offset, in the order of their beginnings."""
    with open(log, "rb") as file:
        file.seek(offset)
        asked = [json.loads(line) for line in file if line.endswith(b"\n")]
    for one in asked:
        one["start"] = one["end"] - one["took"]
        one["path"] = unquote(one["uri"].split("#")[0])
    return sorted(asked, key=lambda one: one["start"])


def by_host(asked):
    hosts = defaultdict(list)
    for one in asked:
        hosts[one["host"]].append(one)
    return hosts


def is_robots(one):
    return one["path"] == "/robots.txt"


def coverage(asked, web, expected_hosts, root=None):
    """Pages found and lost, and requests beyond one for each URL and one for each robots.txt.

    `root` is the one folder of a race with one host; with many, the log says which.
    """
    found = useful = 0
    hosts = by_host(asked)
    for requests in hosts.values():
        site = web.site(root or requests[0]["root"])
        known = site["pages"] | site["others"] | site["dead"]
        paths = {one["path"] for one in requests if not is_robots(one)}
        good = {one["path"] for one in requests if one["status"] in (200, 304)}
        # A crawler that asks for `/` has read the start page.
        good = {"/index.html" if path == "/" else path for path in good}
        found += len(good & site["pages"])
        useful += len(paths & known) + any(is_robots(one) for one in requests)
    return {"found": found, "lost": max(0, expected_hosts - found), "requests": len(asked), "beyond": len(asked) - useful}


def span(asked):
    return max(one["end"] for one in asked) - asked[0]["start"] if asked else 0.0


def manners(asked, delay):
    """How the delay and robots.txt were kept on each host."""
    gaps, robots_first, closed, most = [], 0, 0, 0
    hosts = by_host(asked)
    for requests in hosts.values():
        pages = [one for one in requests if not is_robots(one)]
        robots = [one for one in requests if is_robots(one)]
        most = max(most, len(requests))
        robots_first += bool(robots) and (not pages or robots[0]["end"] <= pages[0]["start"] + TOLERANCE)
        closed += sum(one["path"].startswith(tuple(CLOSED)) for one in pages)
        gaps += [after["start"] - before["start"] for before, after in zip(pages, pages[1:])]
    ideal = (most - 1) * delay
    return {
        "seconds": round(span(asked), 1),
        "ideal": round(ideal, 1),
        "over_ideal": round(span(asked) / ideal, 3) if ideal > 0 else None,
        "gaps": len(gaps),
        "short": sum(gap < delay - TOLERANCE for gap in gaps),
        "hard": sum(gap < 0.9 * delay for gap in gaps),
        "least_gap_ms": round(1000 * min(gaps)) if gaps else None,
        "without_robots": len(hosts) - robots_first,
        "closed_asked": closed,
    }


def refusals(asked, rate, burst):
    """How 429 was heeded: refusals, requests inside a `Retry-After` of 2 s, time over what the limit allows."""
    until, inside = 0.0, 0
    # A wait is known to the crawler when the refusal has arrived, so ends and beginnings are gone through together.
    events = [(one["start"], 0, one) for one in asked] + [(one["end"], 1, one) for one in asked if one["status"] == 429]
    for moment, kind, one in sorted(events, key=lambda event: event[:2]):
        if kind == 1:
            until = max(until, moment + 2)
        elif moment < until - TOLERANCE:
            inside += 1
    served = sum(one["status"] != 429 and not is_robots(one) for one in asked)
    ideal = max(0.0, (served - burst) / rate)
    return {
        "refused": sum(one["status"] == 429 for one in asked),
        "inside": inside,
        "seconds": round(span(asked), 1),
        "ideal": round(ideal, 1),
        "over_ideal": round(span(asked) / ideal, 2) if ideal > 1 else None,
    }


def traffic(asked):
    """What a round cost the server."""
    status = Counter(one["status"] for one in asked)
    return {
        "conditional": sum(one["if"] != "" for one in asked),
        "unchanged": status[304],
        "megabytes": round(sum(one["bytes"] for one in asked) / 1e6, 2),
    }
