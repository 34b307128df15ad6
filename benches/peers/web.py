"""The web of the race: nginx on loopback over unmodified documentation, and what a crawler should find in it.

Four sites, each at a port of its own:

- `small`: one host of about 1,200 pages of 14 KB.
- `large`: one host of about 10,000 pages of 26 KB, with a hundred links each.
- `hosts`: any number of hosts, `127.20.x.y` or `h00017.test`; each serves one of some small manuals. Its robots.txt closes two
  paths that every page links to, and asks for a delay of a second, in case that a crawler has no setting for it.
- `limited`: 5 requests a second and a burst of 5; beyond that 429 with `Retry-After: 2`.

What there is to find is read from the files on disk, link by link, with a parser that no crawler of the race uses this way.
"""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

CLOSED = ["/search.html", "/genindex"]
PORTS = {"small": 0, "large": 1, "hosts": 2, "limited": 3}
# The start page, below the package's folder: the shortest path that fits.
STARTS = {"small": "html/index.html", "large": "api/index.html"}


def host_address(number):
    """The address of one of the many hosts."""
    return f"127.20.{number // 250}.{1 + number % 250}"


def host_name(number):
    """Its name, for a crawler whose delay counts for domains and not for addresses."""
    return f"h{number:05d}.test"


def roots(work, here):
    """The folders that are served: role to list of folders."""
    found = {}
    for line in (here / "pages.txt").read_text().splitlines():
        role, _, packages = line.partition(":")
        if line.startswith("#") or not packages:
            continue
        for package in packages.split():
            start = STARTS.get(role, "index.html")
            starts = [path for path in (work / "tree" / package).rglob("index.html") if path.match(start)]
            if starts:
                found.setdefault(role, []).append(min(starts, key=lambda path: len(str(path))).parent)
                break
    return found


def walk(root, closed=()):
    """Every URL that links lead to from the start page, robots.txt heeded: pages, other files, dead links."""
    from lxml import html

    base = "http://host"
    seen, queue = {"/index.html"}, ["/index.html"]
    kinds = {"pages": [], "others": [], "dead": []}
    while queue:
        url = queue.pop()
        file = Path(str(root) + unquote(urlsplit(url).path))
        if file.is_dir():
            file = file / "index.html"
        if not file.is_file():
            kinds["dead"].append(unquote(url))
            continue
        if file.suffix not in (".html", ".htm"):
            kinds["others"].append(unquote(url))
            continue
        kinds["pages"].append(unquote(url))
        for href in html.fromstring(file.read_bytes()).xpath("//a/@href|//area/@href"):
            try:
                target = urldefrag(urljoin(base + url, href.strip()))[0]
            except ValueError:
                continue
            path = target[len(base):] or "/"
            if target.startswith(base) and path not in seen and not path.startswith(tuple(closed)):
                seen.add(path)
                queue.append(path)
    return kinds


class Web:
    """The server of one race, and what it holds."""

    def __init__(self, work, here, port, hosts):
        self.work, self.port, self.hosts = work, port, hosts
        self.folder = work / f"nginx-{port}"
        self.roots = roots(work, here)
        if "small" not in self.roots:
            raise SystemExit(f"no pages in {work}/tree: {here}/setup.sh says why")
        self.log = self.folder / "access.log"
        self.expected = self._expected()

    def _expected(self):
        file = self.work / "expected.json"
        known = json.loads(file.read_text()) if file.exists() else {}
        for role, folders in self.roots.items():
            for folder in folders:
                if str(folder) not in known:
                    print(f"reading what there is to be found in {folder}", file=sys.stderr)
                    known[str(folder)] = walk(folder, CLOSED if role == "host" else ())
        file.write_text(json.dumps(known))
        return {folder: {kind: set(urls) for kind, urls in kinds.items()} for folder, kinds in known.items()}

    def has(self, site):
        return ("host" if site == "hosts" else site) in self.roots

    def site(self, root):
        """What a crawler should find below a folder as the log names it."""
        return self.expected[root]

    def root(self, role):
        return str(self.roots[role][0])

    def seeds(self, site, hosts=1, names=False):
        port = self.port + PORTS[site]
        if site != "hosts":
            return [f"http://127.0.0.1:{port}/index.html"]
        place = host_name if names else host_address
        return [f"http://{place(number)}:{port}/index.html" for number in range(hosts)]

    def _configuration(self):
        folder, small = self.folder, self.roots.get("host", [])
        which = "".join(
            f"    {place(number)} {small[number % len(small)]};\n"
            for number in range(self.hosts if small else 0)
            for place in (host_address, host_name)
        )
        temporary = "".join(
            f"  {kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        open_robots = "location = /robots.txt { return 200 'User-agent: *\\nDisallow: /no-such-folder/\\n'; }"
        closed = "".join(f"Disallow: {path}\\n" for path in CLOSED)
        servers = "".join(
            f"  server {{ listen {self.port + PORTS[role]} backlog=4096; root {self.root(role)};\n"
            f"    add_header Cache-Control max-age=0; {open_robots} }}\n"
            for role in ("small", "large") if role in self.roots
        )
        if small:
            servers += (
                f"  server {{ listen {self.port + PORTS['hosts']} backlog=4096; root $folder;\n"
                f"    location = /robots.txt {{ return 200 'User-agent: *\\nCrawl-delay: 1\\n{closed}'; }} }}\n"
            )
        if "limited" in self.roots:
            servers += (
                f"  server {{ listen {self.port + PORTS['limited']} backlog=4096; root {self.root('limited')};\n"
                f"    limit_req_status 429; error_page 429 = @slow; {open_robots}\n"
                "    location / { limit_req zone=each burst=4 nodelay; }\n"
                "    location @slow { internal; add_header Retry-After 2 always; return 429 'slow down\\n'; } }\n"
            )
        return (
            f"worker_processes 1; worker_rlimit_nofile 20000; daemon on; {'user root; ' if os.geteuid() == 0 else ''}\n"
            f"pid {folder}/pid; error_log {folder}/error.log warn;\n"
            "events { worker_connections 19000; multi_accept on; }\n"
            "http {\n"
            "  include /etc/nginx/mime.types; default_type application/octet-stream; charset utf-8;\n"
            "  sendfile on; tcp_nopush on; keepalive_timeout 300s; keepalive_requests 100000000; etag on; gzip off;\n"
            "  open_file_cache max=50000 inactive=600s; open_file_cache_valid 600s; types_hash_max_size 4096;\n"
            f"  map_hash_max_size {max(2048, 8 * self.hosts)}; map_hash_bucket_size 128;\n{temporary}"
            "  log_format judge escape=json '{\"end\":$msec,\"took\":$request_time,\"host\":\"$host\","
            "\"root\":\"$document_root\",\"connection\":$connection,\"status\":$status,\"bytes\":$body_bytes_sent,"
            "\"if\":\"$http_if_none_match$http_if_modified_since\",\"uri\":\"$request_uri\"}';\n"
            f"  access_log {folder}/access.log judge;\n"
            f"  map $host $folder {{\n    default {small[0] if small else folder};\n{which}  }}\n"
            "  limit_req_zone $host zone=each:10m rate=5r/s;\n"
            f"{servers}}}\n"
        )

    def start(self):
        """Starts nginx, on the core that this process is on."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.lock = open(self.folder / "lock", "w")  # noqa: SIM115 # held until the end of the race
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SystemExit(f"another race is at port {self.port}: give --port") from None
        self.stop()
        self.log.unlink(missing_ok=True)
        (self.folder / "nginx.conf").write_text(self._configuration())
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        subprocess.run([program, "-p", self.folder, "-c", self.folder / "nginx.conf"], check=True)

    def stop(self):
        try:
            number = int((self.folder / "pid").read_text())
            os.kill(number, signal.SIGTERM)
            for _ in range(100):
                os.kill(number, 0)
                time.sleep(0.05)
        except (OSError, ValueError):
            pass
