"""Scrapy in the race: see `crawlers.py` for the RACE_ variables. Its fast form: uvloop, no cookies, links by `css()`, and a set of
its own before the dupe filter, so that a known link costs no `Request`."""

import json
import os
from urllib.parse import urldefrag, urlsplit

import scrapy
from scrapy.crawler import CrawlerProcess

env = os.environ
connections = int(env["RACE_CONNECTIONS"])
per_host = int(env["RACE_PER_HOST"])
state, cache, retries = env["RACE_STATE"], env["RACE_CACHE"], env["RACE_RETRIES"]
with open(env["RACE_SEEDS"]) as file:
    seeds = file.read().split()
hosts = {urlsplit(seed).netloc for seed in seeds}


class Race(scrapy.Spider):
    name = "race"
    known = set(seeds)

    async def start(self):
        self.out = open(env["RACE_OUT"], "a", buffering=1 if state else 65536)
        for seed in seeds:
            yield scrapy.Request(seed, dont_filter=True)

    def parse(self, response):
        if not isinstance(response, scrapy.http.HtmlResponse):
            return
        self.out.write(json.dumps({"url": response.url, "title": response.css("title::text").get("").strip()}) + "\n")
        for href in response.css("a::attr(href)").getall():
            url = urldefrag(response.urljoin(href.strip()))[0]
            if url not in self.known:
                self.known.add(url)
                if urlsplit(url).netloc in hosts:
                    yield scrapy.Request(url)

    def closed(self, reason):
        self.out.close()


settings = {
    "USER_AGENT": "race-scrapy/1.0 (+http://127.0.0.1/)",
    "ROBOTSTXT_OBEY": True,
    "CONCURRENT_REQUESTS": connections,
    "CONCURRENT_REQUESTS_PER_DOMAIN": per_host,
    "DOWNLOAD_DELAY": float(env["RACE_DELAY"]),
    "RANDOMIZE_DOWNLOAD_DELAY": False,
    "COOKIES_ENABLED": False,
    "TELNETCONSOLE_ENABLED": False,
    "LOG_LEVEL": "ERROR",
    "ASYNCIO_EVENT_LOOP": "uvloop.Loop",
}
if state:
    settings["JOBDIR"] = state
if cache:
    settings |= {
        "HTTPCACHE_ENABLED": True,
        "HTTPCACHE_POLICY": "scrapy.extensions.httpcache.RFC2616Policy",
        "HTTPCACHE_DIR": cache,
    }
if retries:
    settings |= {"RETRY_TIMES": int(retries), "AUTOTHROTTLE_ENABLED": True, "AUTOTHROTTLE_START_DELAY": 0.2}
process = CrawlerProcess(settings)
process.crawl(Race)
process.start()
