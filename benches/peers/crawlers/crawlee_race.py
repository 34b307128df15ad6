"""Crawlee for Python in the race: ParselCrawler; see `crawlers.py` for the RACE_ variables. It has no setting for a delay: with a
delay or retries it gets the manager that heeds Crawl-delay and 429, which must be told the hosts beforehand."""

import asyncio
import json
import logging
import os
from urllib.parse import urlsplit

from crawlee import ConcurrencySettings, service_locator
from crawlee.configuration import Configuration
from crawlee.crawlers import ParselCrawler, ParselCrawlingContext
from crawlee.request_loaders import ThrottlingRequestManager
from crawlee.storage_clients import FileSystemStorageClient, MemoryStorageClient
from crawlee.storages import RequestQueue

env = os.environ
state, retries = env["RACE_STATE"], env["RACE_RETRIES"]
with open(env["RACE_SEEDS"]) as file:
    seeds = file.read().split()


async def main():
    options = {"purge_on_start": False, "memory_mbytes": 16384}
    if state:
        options["storage_dir"] = state
    service_locator.set_configuration(Configuration(**options))
    service_locator.set_storage_client(FileSystemStorageClient() if state else MemoryStorageClient())
    more = {}
    if retries or float(env["RACE_DELAY"]) > 0:
        hosts = sorted({urlsplit(seed).hostname for seed in seeds})
        queue = await RequestQueue.open()
        more["request_manager"] = ThrottlingRequestManager(queue, domains=hosts, request_manager_opener=RequestQueue.open)
    connections = int(env["RACE_CONNECTIONS"])
    crawler = ParselCrawler(
        concurrency_settings=ConcurrencySettings(
            min_concurrency=connections, max_concurrency=connections, desired_concurrency=connections
        ),
        respect_robots_txt_file=True,
        use_session_pool=False,
        configure_logging=False,
        **more,
    )
    logging.disable(logging.CRITICAL)
    with open(env["RACE_OUT"], "a", buffering=1 if state else 65536) as out:

        @crawler.router.default_handler
        async def page(context: ParselCrawlingContext) -> None:
            title = context.selector.css("title::text").get("").strip()
            out.write(json.dumps({"url": context.request.loaded_url, "title": title}) + "\n")
            await context.enqueue_links(strategy="same-hostname")

        await crawler.run(seeds)


asyncio.run(main())
