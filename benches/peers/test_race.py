"""The judge judges logs whose verdict is known; `python3 -m unittest discover benches/peers`."""

import json
import tempfile
import unittest
from pathlib import Path

import judge
import race
import tables


class Known:
    """A web of one small site."""

    def site(self, _root):
        return {"pages": {"/index.html", "/a.html", "/b.html"}, "others": {"/a.txt"}, "dead": {"/gone.html"}}


def asked(start, path, status=200, host="127.20.0.1", took=0.010, condition=""):
    return {
        "start": start, "end": start + took, "took": took, "host": host, "root": "/tree", "status": status, "bytes": 1000,
        "if": condition, "uri": path, "path": path, "connection": 1,
    }  # fmt: skip


class Judge(unittest.TestCase):
    def test_a_page_counts_once_and_what_nobody_links_to_is_beyond(self):
        requests = [asked(n, path) for n, path in enumerate(["/robots.txt", "/index.html", "/a.html", "/a.html", "/style.css"])]
        verdict = judge.coverage(requests, Known(), 3)
        self.assertEqual(verdict, {"found": 2, "lost": 1, "requests": 5, "beyond": 2})

    def test_a_dead_link_is_no_page_and_not_beyond(self):
        verdict = judge.coverage([asked(0, "/"), asked(1, "/gone.html", 404), asked(2, "/a.txt")], Known(), 3)
        self.assertEqual((verdict["found"], verdict["beyond"]), (1, 1))

    def test_gaps_are_those_of_one_host_and_robots_comes_first(self):
        one = [asked(0, "/robots.txt"), asked(1, "/index.html"), asked(2, "/a.html"), asked(2.95, "/b.html"), asked(3.1, "/genindex.html")]
        other = [asked(n + 0.5, path, host="127.20.0.2") for n, path in enumerate(["/index.html", "/robots.txt"])]
        verdict = judge.manners(sorted(one + other, key=lambda request: request["start"]), 1.0)
        self.assertEqual((verdict["gaps"], verdict["short"], verdict["hard"], verdict["least_gap_ms"]), (3, 2, 1, 150))
        self.assertEqual((verdict["without_robots"], verdict["closed_asked"], verdict["ideal"]), (1, 1, 4.0))

    def test_what_was_under_way_at_a_refusal_is_not_inside_its_wait(self):
        requests = [asked(0, "/a.html", 429), asked(0.005, "/b.html"), asked(1, "/b.html"), asked(2.5, "/a.html")]
        self.assertEqual(judge.refusals(requests, 5, 5)["inside"], 1)

    def test_a_log_is_read_from_where_it_was_and_a_cut_line_is_left_out(self):
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder) / "access.log"
            line = {"end": 7.5, "took": 0.5, "host": "a", "root": "", "connection": 1, "status": 304, "bytes": 0, "if": "x", "uri": "/%41#b"}
            first = json.dumps(line | {"uri": "/old"}) + "\n"
            log.write_text(first + json.dumps(line) + "\n" + json.dumps(line)[:20])
            requests = judge.read(log, len(first))
        self.assertEqual([(one["start"], one["path"]) for one in requests], [(7.0, "/A")])
        self.assertEqual(judge.traffic(requests), {"conditional": 1, "unchanged": 1, "megabytes": 0.0})

    def test_an_item_that_a_kill_has_cut_is_none(self):
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "out.jsonl"
            out.write_text('{"url":"http://a/x%20y.html#top","title":"{}"}\n{"url": "http://a/?q"}\n{"url":"http://a/cut')
            self.assertEqual(race.items(out), ["/x y.html", "/?q"])


class Tables(unittest.TestCase):
    def run_of(self, crawler, cpu, lost=0):
        return {
            "part": "a", "site": "small", "crawler": crawler, "connections": 8, "ended": "", "wall": 1.0, "cpu": cpu, "memory_mb": 40.0,
            "found": 1000 - lost, "lost": lost, "beyond": 0, "others_on_core": 0.01,
        }  # fmt: skip

    def results(self):
        runs = [self.run_of("crawl", 0.1), self.run_of("other", 0.5), self.run_of("other", 0.3, lost=2)]
        machine = {"cores": 2, "server_core": 0, "crawler_core": 1}
        return {"machine": machine, "quick": False, "versions": {"crawl": "crawl 1"}, "skipped": {"third": "no Go"}, "runs": runs}

    def test_the_crawl_with_the_least_cpu_counts_and_the_worst_loss(self):
        text = tables.markdown(self.results())
        self.assertIn("| other | 8 | 0.3 | 3.0 | 998 | 1.0 | 40 | 1.0 | 998 | 2 | 0 |", text)
        self.assertIn("Not there: third (no Go).", text)

    def test_of_two_races_the_later_counts_and_what_only_one_has_stays(self):
        first, second = self.results(), self.results()
        second["runs"] = [self.run_of("other", 0.2)]
        second["versions"] = {"third": "third 3"}
        both = tables.merged([first, second])
        self.assertEqual([(run["crawler"], run["cpu"]) for run in both["runs"]], [("crawl", 0.1), ("other", 0.2)])
        self.assertEqual((both["skipped"], both["versions"]), ({}, {"crawl": "crawl 1", "third": "third 3"}))

    def test_a_page_gets_new_tables_between_its_marks(self):
        with tempfile.TemporaryDirectory() as folder:
            page = Path(folder) / "page.md"
            page.write_text(f"before\n{tables.BEGIN}\nold\n{tables.END}\nafter\n")
            tables.into_page(page, "new\n")
            self.assertEqual(page.read_text(), f"before\n{tables.BEGIN}\n\nnew\n\n{tables.END}\nafter\n")


if __name__ == "__main__":
    unittest.main()
