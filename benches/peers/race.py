#!/usr/bin/env python3
"""Races crawlers: each in turn crawls the same pages of the same nginx. The server has a core of its own, each crawler the other.

What a crawler found and how it behaved is read from the server's log, CPU and memory from the kernel; nobody is asked.

Parts:
  a  one host, no delay: small pages, large pages
  b  many hosts with a delay of a second each
  c  a host that answers 429
  d  the same site crawled a second time, nothing having changed
  e  kill -9 at half of a site, and started again
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import unquote, urlsplit

import judge
import tables
from crawlers import Task, everybody
from web import Web

HERE = Path(__file__).resolve().parent
MEGABYTE = 1 << 20


def core_ticks(core):
    """Time that processes had on a core since the start of the machine, in seconds."""
    with open("/proc/stat") as file:
        line = next(line for line in file if line.startswith(f"cpu{core} "))
    user, nice, system = map(int, line.split()[1:4])
    return (user + nice + system) / os.sysconf("SC_CLK_TCK")


def peak_memory(process):
    # Not `ru_maxrss`: that of a child begins at the peak of its parent.
    try:
        status = Path(f"/proc/{process}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) << 10
    except (OSError, IndexError, ValueError):
        return 0


class Race:
    def __init__(self, options, web, work):
        self.options, self.web, self.work = options, web, work
        self.server_core, self.core = options.cores
        self.results = []

    def crawl(self, crawler, task, kill_at=None):
        """One crawl. Gives what the kernel counted, and what the server was asked."""
        command = [str(word) for word in crawler.command(task)]
        environment = os.environ | {name: str(value) for name, value in crawler.environment(task).items()}
        offset = self.web.log.stat().st_size if self.web.log.exists() else 0
        memory, ended, answered = 0, "", 0
        with open(task.folder / "messages", "ab") as messages, open(self.web.log, "rb") as log:
            log.seek(offset)
            busy, began = core_ticks(self.core), time.monotonic()
            process = subprocess.Popen(
                command, env=environment, cwd=task.folder, stdin=subprocess.DEVNULL, stdout=messages, stderr=messages,
                start_new_session=True, preexec_fn=lambda: os.sched_setaffinity(0, {self.core}),
            )  # fmt: skip
            try:
                while True:
                    memory = max(memory, peak_memory(process.pid))
                    found, status, usage = os.wait4(process.pid, os.WNOHANG)
                    if found:
                        break
                    if kill_at is not None:
                        answered += log.read().count(b'"status":200')
                    late = time.monotonic() - began > self.options.limit
                    if not ended and (late or (kill_at is not None and answered > kill_at)):
                        ended = "limit" if late else "killed"
                        os.killpg(process.pid, signal.SIGKILL)
                    time.sleep(0.002 if kill_at is not None else 0.005)
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)
                raise
            seconds = time.monotonic() - began
            busy = core_ticks(self.core) - busy
        process.returncode = os.waitstatus_to_exitcode(status)
        time.sleep(0.3)
        cpu = usage.ru_utime + usage.ru_stime
        figures = {
            "crawler": crawler.name,
            "exit": process.returncode,
            "ended": ended,
            "wall": round(seconds, 3),
            "cpu": round(cpu, 3),
            "memory_mb": round(memory / MEGABYTE, 1),
            "others_on_core": round(max(0.0, busy - cpu) / seconds, 2),
        }
        return figures, judge.read(self.web.log, offset)

    def each(self, part):
        """The crawlers that race in a part, with a note for those that cannot."""
        for crawler in self.options.crawlers:
            if part in crawler.parts:
                yield crawler

    @contextlib.contextmanager
    def folder(self):
        folder = Path(tempfile.mkdtemp(prefix="race-", dir=self.work))
        try:
            yield folder
        finally:
            if not self.options.keep:
                shutil.rmtree(folder, ignore_errors=True)

    def note(self, part, figures, **more):
        figures = {"part": part} | more | figures
        self.results.append(figures)
        left = {key: value for key, value in figures.items() if key not in ("part", "wall", "exit") and value != ""}
        print(f"({part})", ", ".join(f"{key} {value}" for key, value in left.items()), file=sys.stderr, flush=True)

    def one_host(self):
        for site in ("small", "large"):
            if site not in self.options.sites or not self.web.has(site):
                continue
            root = self.web.root(site)
            pages = len(self.web.site(root)["pages"])
            rounds = self.options.rounds if site == "small" else min(self.options.rounds, 2)
            connections = self.options.connections if site == "small" else self.options.connections[-1:]
            for turn in range(rounds):
                for number in connections:
                    for crawler in self.each("a"):
                        with self.folder() as folder:
                            task = Task(self.web.seeds(site), folder, number, number)
                            figures, asked = self.crawl(crawler, task)
                        figures |= judge.coverage(asked, self.web, pages, root)
                        self.note("a", figures, site=site, connections=number, round=turn)

    def many_hosts(self):
        if not self.web.has("hosts"):
            return
        hosts, sites = self.options.hosts, self.web.roots["host"]
        expected = sum(len(self.web.site(str(sites[number % len(sites)]))["pages"]) for number in range(hosts))
        for crawler in self.each("b"):
            with self.folder() as folder:
                seeds = self.web.seeds("hosts", hosts, crawler.names)
                figures, asked = self.crawl(crawler, Task(seeds, folder, hosts, 1, delay=1.0))
            figures |= judge.coverage(asked, self.web, expected) | judge.manners(asked, 1.0)
            self.note("b", figures, hosts=hosts)

    def limited(self):
        if not self.web.has("limited"):
            return
        root = self.web.root("limited")
        pages = len(self.web.site(root)["pages"])
        for crawler in self.each("c"):
            for careful in (False, True):
                # With nothing set we take minutes, and that is for the long race.
                if careful not in crawler.tempers() or (crawler.name.endswith("pace") and self.options.quick):
                    continue
                # The bucket fills up again between two crawlers.
                time.sleep(2)
                with self.folder() as folder:
                    task = Task(self.web.seeds("limited"), folder, 8, 8, careful=careful)
                    figures, asked = self.crawl(crawler, task)
                figures |= judge.coverage(asked, self.web, pages, root) | judge.refusals(asked, 5, 5)
                told = careful and len(crawler.tempers()) > 1
                self.note("c", figures, careful=told, pages=pages)

    def second_round(self):
        root = self.web.root("small")
        pages = self.web.site(root)["pages"]
        for crawler in self.each("d"):
            with self.folder() as folder:
                rounds = []
                for turn in (False, True):
                    task = Task(self.web.seeds("small"), folder, 8, 8, keep_answers=True, again=turn)
                    figures, asked = self.crawl(crawler, task)
                    figures |= judge.coverage(asked, self.web, len(pages), root) | judge.traffic(asked)
                    figures["items"] = len(set(items(task.out)) & pages) if task.out.exists() else None
                    rounds.append(figures)
                    if task.out.exists() and not crawler.name.startswith("crawl"):
                        task.out.unlink()
            first, second = rounds
            second["cpu_first"], second["megabytes_first"] = first["cpu"], first["megabytes"]
            self.note("d", second, pages=len(pages))

    def killed(self):
        root = self.web.root("small")
        pages = self.web.site(root)["pages"]
        for crawler in self.each("e"):
            with self.folder() as folder:
                task = Task(self.web.seeds("small"), folder, 8, 8, keep_state=True)
                first, before = self.crawl(crawler, task, kill_at=len(pages) // 2)
                if first["ended"] != "killed":
                    self.note("e", first | {"missed": "it was through before it could be killed"})
                    continue
                task.again = True
                figures, after = self.crawl(crawler, task)
                out = items(task.out) if task.out.exists() else None
            fetched = [{one["path"] for one in asked if one["status"] == 200} & pages for asked in (before, after)]
            figures |= {
                "before": len(fetched[0]),
                "after": len(fetched[1]),
                "twice": len(fetched[0] & fetched[1]),
                "never": len(pages - fetched[0] - fetched[1]),
                "items_lost": None if out is None else len(pages - set(out)),
                "items_twice": None if out is None else len(out) - len(set(out)),
                "seconds": figures["wall"],
            }
            self.note("e", figures)

    def run(self):
        parts = {
            "a": self.one_host, "b": self.many_hosts, "c": self.limited, "d": self.second_round, "e": self.killed,
        }  # fmt: skip
        for part in self.options.parts:
            parts[part]()


def items(file):
    """The pages that items were made of, in order. A line that a kill has cut in two is none."""
    lines = file.read_text(errors="replace").split("\n")[:-1]
    urls = [re.search(r'"url":\s*"([^"]+)"', line) for line in lines if line.endswith("}")]
    parts = [urlsplit(url[1]) for url in urls if url]
    return [unquote(part.path + (f"?{part.query}" if part.query else "")) for part in parts]


def machine(options):
    return {"cores": os.cpu_count(), "server_core": options.cores[0], "crawler_core": options.cores[1]}


def read_options(work):
    known = everybody(work)
    reader = argparse.ArgumentParser(prog="benches/peers/run.sh", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("--quick", action="store_true", help="some minutes: one round, 100 hosts, no large pages, no long waits")
    reader.add_argument("--parts", default="abcde", help="which parts, as in `ac`")
    reader.add_argument("--crawlers", nargs="+", metavar="NAME", help="who races: " + "; ".join(one.name for one in known))
    reader.add_argument("--sites", nargs="+", choices=["small", "large"], help="the sites of part a")
    reader.add_argument("--rounds", type=int, help="rounds of part a (3); the one with the least CPU counts")
    reader.add_argument("--connections", type=int, nargs="+", help="connections in part a (8 32); the best counts")
    reader.add_argument("--hosts", type=int, help="hosts of part b (1000)")
    reader.add_argument("--limit", type=float, help="seconds that one crawl may take (900)")
    reader.add_argument("--port", type=int, default=int(os.environ.get("RACE_PORT", "18080")), help="the first of four ports")
    reader.add_argument("--out", type=Path, default=work / "results", help="folder for race.json and race.md")
    reader.add_argument("--docs", action="store_true", help="write the tables into docs/speed.md too")
    reader.add_argument(
        "--tables", type=Path, nargs="+", metavar="JSON",
        help="race nobody: make the tables of these results; of what several of them have, the last one's",
    )  # fmt: skip
    reader.add_argument("--keep", action="store_true", help="keep the folders of all crawls")
    options = reader.parse_args()
    quick = options.quick
    options.rounds = options.rounds or (1 if quick else 3)
    options.connections = options.connections or ([32] if quick else [8, 32])
    options.hosts = options.hosts or (100 if quick else 1000)
    options.limit = options.limit or (100 if quick else 900)
    options.sites = options.sites or (["small"] if quick else ["small", "large"])
    names = {one.name for one in known}
    unknown = set(options.crawlers or []) - names
    if unknown:
        reader.error(f"nobody is called {', '.join(sorted(unknown))}: there are {'; '.join(sorted(names))}")
    options.crawlers = [one for one in known if not options.crawlers or one.name in options.crawlers]
    return options


def choose_cores():
    cores = [int(core) for core in os.environ["RACE_CORES"].split(",")] if "RACE_CORES" in os.environ else sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise SystemExit("two cores are needed, one for the server and one for the crawler")
    return cores[0], cores[1]


def main():
    work = Path(os.environ.get("PEERS_DIR", tempfile.gettempdir()))
    options = read_options(work)
    if options.tables:
        results = tables.merged([json.loads(file.read_text()) for file in options.tables])
    else:
        results = race(options, work)
    options.out.mkdir(parents=True, exist_ok=True)
    text = tables.markdown(results)
    (options.out / "race.json").write_text(json.dumps(results, indent=1) + "\n")
    (options.out / "race.md").write_text(text)
    if options.docs:
        tables.into_page(HERE.parents[1] / "docs/speed.md", text)
    print(text)


def race(options, work):
    options.cores = choose_cores()
    os.sched_setaffinity(0, {options.cores[0]})
    skipped = {one.name: one.missing() for one in options.crawlers if one.missing()}
    options.crawlers = [one for one in options.crawlers if one.name not in skipped]
    for name, why in skipped.items():
        print(f"{name} does not race: {why}", file=sys.stderr)
    web = Web(work, HERE, options.port, options.hosts)
    running = Race(options, web, work)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    web.start()
    try:
        running.run()
    finally:
        web.stop()
    return {
        "machine": machine(options),
        "quick": options.quick,
        "versions": {one.name: one.version() for one in options.crawlers},
        "skipped": skipped,
        "runs": running.results,
    }


if __name__ == "__main__":
    main()
