"""Who races, and how each is told what to do: the program, its settings, what it needs to be there.

A crawler that is a library has a program of its own in `crawlers/`, which is told by variables:

| variable | meaning |
|---|---|
| RACE_SEEDS, RACE_OUT | a file with a URL a line; where to write a JSON line with `url` and `title` for each page |
| RACE_CONNECTIONS, RACE_PER_HOST | requests at once: in all, to one host |
| RACE_DELAY | seconds between two requests to one host |
| RACE_STATE | a folder for what must outlive the process, or nothing |
| RACE_CACHE | a folder for the answers of the last round, or nothing |
| RACE_RETRIES | how often a refused request is tried again; without it the crawler's own default |
"""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent


@dataclass
class Task:
    """One crawl, the same for everybody."""

    seeds: list
    folder: Path
    connections: int = 32
    per_host: int = 32
    delay: float = 0.0
    keep_state: bool = False
    keep_answers: bool = False
    again: bool = False  # the same folder was crawled before
    careful: bool = False  # with what the crawler's documentation has for refusals

    @property
    def out(self):
        return self.folder / "out.jsonl"


def toml(text):
    return '"' + str(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


@dataclass
class Crawler:
    """One of those who race."""

    name: str
    work: Path
    parts: str = "abcde"
    names: bool = False  # crawls names, not addresses

    def missing(self):
        """Why it cannot race, or None."""
        return None

    def version(self):
        return ""

    def tempers(self):
        """How it crawls a host that refuses: as it does by default (False), with its settings for refusals (True)."""
        return (False, True)

    def command(self, task):
        raise NotImplementedError

    def environment(self, task):
        seeds = task.folder / "seeds"
        seeds.write_text("\n".join(task.seeds) + "\n")
        return {
            "RACE_SEEDS": seeds,
            "RACE_OUT": task.out,
            "RACE_CONNECTIONS": task.connections,
            "RACE_PER_HOST": task.per_host,
            "RACE_DELAY": f"{task.delay:g}",
            "RACE_STATE": task.folder / "state" if task.keep_state else "",
            "RACE_CACHE": task.folder / "cache" if task.keep_answers else "",
            "RACE_RETRIES": 20 if task.careful else "",
            "HOME": task.folder,
            "PYTHONDONTWRITEBYTECODE": 1,
        }


class Ours(Crawler):
    """This crawler, by a crawler file. Its state is on disk in every part: it has no other way."""

    extract = ""

    @property
    def program(self):
        return os.environ.get("CRAWL_BIN", "crawl")

    def missing(self):
        return None if shutil.which(self.program) else f"{self.program} is not there: set CRAWL_BIN"

    def version(self):
        return output([self.program, "--version"])

    def tempers(self):
        # There is one way.
        return (True,)

    def pace(self, task):
        # A fixed pace is for one's own servers, and that is what the other crawlers' delays are. Where the server has a limit it
        # is learned, as it is by default.
        return "adaptive" if task.careful else "fixed"

    def command(self, task):
        file = task.folder / "race.toml"
        file.write_text(
            f"seeds = [{', '.join(map(toml, task.seeds))}]\n"
            f"state-dir = {toml(task.folder / 'crawl-state')}\n"
            '[identity]\nname = "race"\n'
            f'[politeness]\ndelay = "{task.delay:g}s"\njitter = 0\npace = "{self.pace(task)}"\n'
            f"max-concurrency = {task.per_host}\naddress-concurrency = {task.per_host}\n"
            f"max-in-flight = {task.connections}\n"
            '[net]\nallow = ["127.0.0.0/8"]\n'
            f"{self.extract}[sink.jsonl]\npath = {toml(task.out)}\n"
        )
        return [self.program, "run", "--quiet", file]


class OursDefault(Ours):
    """The same with nothing set but the seed and the output: a second from answer to request, and a pace that is learned."""

    def command(self, task):
        return [
            self.program, "run", "--quiet", "--seed", task.seeds[0], "--state", task.folder / "crawl-state", "--out", task.out,
        ]  # fmt: skip


class OursSelectors(Ours):
    """The same with fields by CSS selectors: a tree of every page is built. (Without, a page gives its URL and its title.)"""

    extract = '[[extract]]\nfields = { url = { url = true }, title = "title", heading = "h1", links = { css = "a::attr(href)", list = true } }\n'


class Python(Crawler):
    module = ""
    program = ""

    def missing(self):
        python = self.work / "py/bin/python"
        found = subprocess.run([python, "-c", f"import {self.module}"], capture_output=True, check=False)
        return None if found.returncode == 0 else f"{self.module} is not installed"

    def version(self):
        python = self.work / "py/bin/python"
        what = f"from importlib.metadata import version; print(version('{self.module}'))"
        return f"{self.module} {output([python, '-c', what])}"

    def command(self, task):
        return [self.work / "py/bin/python", HERE / "crawlers" / self.program]


class Scrapy(Python):
    module, program = "scrapy", "scrapy_race.py"


class CrawleePython(Python):
    module, program = "crawlee", "crawlee_race.py"


class CrawleeJs(Crawler):
    def missing(self):
        if not shutil.which("node"):
            return "node is not there"
        return None if (self.work / "js/node_modules/@crawlee/cheerio").is_dir() else "@crawlee/cheerio is not installed"

    def version(self):
        package = self.work / "js/node_modules/@crawlee/cheerio/package.json"
        what = f"console.log(require('{package}').version, 'on node', process.versions.node)"
        return f"@crawlee/cheerio {output(['node', '-e', what])}"

    def command(self, task):
        return ["node", self.work / "js/crawlee.mjs"]


class Built(Crawler):
    program = ""

    def missing(self):
        return None if (self.work / self.program).is_file() else f"{Path(self.program).name} was not built"

    def command(self, task):
        return [self.work / self.program]


class Spider(Built):
    program = "spider/target/release/race-spider"

    def version(self):
        return "spider " + (HERE / "crawlers/spider/Cargo.toml").read_text().split('spider = { version = "=')[1].split('"')[0]


class Colly(Built):
    program = "colly/race-colly"

    def tempers(self):
        # It has no setting for refusals.
        return (False,)

    def version(self):
        return "colly " + (HERE / "crawlers/colly/go.mod").read_text().split("colly/v2 v")[1].split()[0]


class Wget2(Crawler):
    """Writes the pages to disk and makes no items."""

    def missing(self):
        return None if shutil.which("wget2") else "wget2 is not there"

    def version(self):
        return output(["wget2", "--version"]).split(" - ")[0]

    def tempers(self):
        # Its older versions take no status for a reason to try again.
        told = subprocess.run(["wget2", "--help"], capture_output=True, text=True, check=False).stdout
        return (False, True) if "--retry-on-http-error" in told else (False,)

    def command(self, task):
        words = ["wget2", "--quiet", "--recursive", "--level=inf", "--no-parent", "--robots=on"]
        words += [f"--max-threads={min(task.connections, 100)}", "--user-agent=race-wget2/1.0 (+http://127.0.0.1/)"]
        words += [f"--directory-prefix={task.folder / 'mirror'}", f"--input-file={task.folder / 'seeds'}"]
        if task.delay:
            words += [f"--wait={task.delay:g}"]
        if task.careful:
            words += ["--retry-on-http-error=429", "--tries=20", "--waitretry=10"]
        if task.again:
            words += ["--timestamping" if task.keep_answers else "--no-clobber"]
        return words


def output(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = (done.stdout or done.stderr).strip().splitlines()
    return lines[0] if lines else ""


def everybody(work):
    """All that may race, this crawler first."""
    return [
        Ours("crawl", work),
        OursSelectors("crawl, selectors", work, parts="a"),
        OursDefault("crawl, default pace", work, parts="c"),
        Scrapy("Scrapy", work),
        Spider("spider", work, parts="abcd"),
        Colly("Colly", work, parts="abcd"),
        Wget2("wget2", work),
        CrawleePython("Crawlee (Python)", work),
        CrawleeJs("Crawlee (JS)", work, names=True),
    ]
