// Crawlee for JavaScript in the race: CheerioCrawler; see crawlers.py for the RACE_ variables. Its delay counts for registrable
// domains and not for addresses, so it crawls names, and this file plays the DNS for them.
import dns from 'node:dns';
import fs from 'node:fs';
import { CheerioCrawler, Configuration, log, LogLevel } from '@crawlee/cheerio';
import { MemoryStorage } from '@crawlee/memory-storage';

const resolve = dns.lookup;
dns.lookup = (name, options, done) => {
    const number = /^h(\d{5})\.test$/.exec(name);
    if (!number) return resolve(name, options, done);
    const address = `127.20.${Math.floor(number[1] / 250)}.${1 + (number[1] % 250)}`;
    const answer = done ?? options;
    return process.nextTick(() => (options?.all ? answer(null, [{ address, family: 4 }]) : answer(null, address, 4)));
};

const env = process.env;
const connections = Number(env.RACE_CONNECTIONS);
const state = env.RACE_STATE;
log.setLevel(LogLevel.OFF);
const seeds = fs.readFileSync(env.RACE_SEEDS, 'utf8').split('\n').filter(Boolean);
const out = fs.openSync(env.RACE_OUT, 'a');
let lines = [];
const write = (least) => {
    if (lines.length < least) return;
    fs.writeSync(out, lines.join(''));
    lines = [];
};

const storageClient = new MemoryStorage({
    persistStorage: Boolean(state), localDataDirectory: state || undefined, writeMetadata: false,
});
const configuration = new Configuration({
    persistStorage: Boolean(state), purgeOnStart: false, availableMemoryRatio: 0.5, storageClient,
});
const crawler = new CheerioCrawler({
    minConcurrency: connections,
    maxConcurrency: connections,
    sameDomainDelaySecs: Number(env.RACE_DELAY),
    ...(env.RACE_RETRIES ? { maxRequestRetries: Number(env.RACE_RETRIES) } : {}),
    respectRobotsTxtFile: true,
    useSessionPool: false,
    persistCookiesPerSession: false,
    additionalMimeTypes: ['text/plain'],
    preNavigationHooks: [(_context, request) => {
        request.headers = { 'user-agent': 'race-crawlee/1.0 (+http://127.0.0.1/)' };
        request.useHeaderGenerator = false;
    }],
    async requestHandler({ request, $, enqueueLinks }) {
        if (!$) return;
        lines.push(`${JSON.stringify({ url: request.loadedUrl, title: $('title').text().trim() })}\n`);
        write(state ? 1 : 500);
        await enqueueLinks({ strategy: 'same-hostname' });
    },
}, configuration);
await crawler.run(seeds);
write(1);
