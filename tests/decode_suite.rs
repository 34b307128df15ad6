//! Bodies that were packed elsewhere, from the Scrapy project's tests; skipped if they are not beside this repository.

#[expect(dead_code, reason = "shared with suites that are JSON")]
mod suites;

use bytes::Bytes;
use crawl::fetch::decode::{Bounds, Decoded, MOST_CODINGS, decode};
use crawl::response::Truncation;

const BOUNDS: Bounds = Bounds { body: 10 << 20, ratio: 200, codings: MOST_CODINGS };

fn sample(name: &str) -> Option<Bytes> {
    suites::octets(&format!("compressed-scrapy/{name}")).map(Bytes::from)
}

async fn decoded(encoding: &str, name: &str) -> Option<Decoded> {
    Some(decode(encoding, sample(name)?, BOUNDS).await)
}

#[tokio::test]
async fn every_packing_of_the_page_gives_the_whole_page() {
    // The page says in its text how it was sent, so its length differs with the packing.
    let samples = [
        ("br", "html-br.bin", 74_837),
        ("GZIP", "html-gzip.bin", 74_837),
        ("x-gzip", "html-gzip.bin", 74_837),
        ("identity, gzip", "html-gzip.bin", 74_837),
        ("gzip, deflate", "html-gzip-deflate.bin", 74_837),
        ("deflate", "html-rawdeflate.bin", 74_840),
        ("deflate", "html-zlibdeflate.bin", 74_840),
        ("zstd", "html-zstd-static-content-size.bin", 74_837),
        ("zstd", "html-zstd-static-no-content-size.bin", 74_837),
        ("zstd", "html-zstd-streaming-no-content-size.bin", 74_837),
    ];
    for (encoding, name, length) in samples {
        let Some(page) = decoded(encoding, name).await else {
            return;
        };
        assert_eq!((page.truncated, page.body.len()), (None, length), "{name} as {encoding}");
        assert!(page.body.starts_with(b"<!DOCTYPE") && page.body.ends_with(b"</html>\n"), "{name}");
    }
}

#[tokio::test]
async fn bombs_stop_at_the_limits() {
    for (encoding, name) in [
        ("br", "bomb-br.bin"),
        ("deflate", "bomb-deflate.bin"),
        ("gzip", "bomb-gzip.bin"),
        ("zstd", "bomb-zstd.bin"),
    ] {
        let Some(body) = decoded(encoding, name).await else {
            return;
        };
        assert_eq!(body.truncated, Some(Truncation::Ratio), "{name}");
        assert!(body.body.len() as u64 <= BOUNDS.body, "{name}");
    }
}

#[tokio::test]
async fn what_is_nested_too_deep_is_left_as_it_came() {
    let name = "html-gzip-deflate-gzip.bin";
    let Some(body) = decoded("gzip, deflate, gzip", name).await else {
        return;
    };
    assert_eq!(body.truncated, Some(Truncation::Coding));
    assert_eq!(Some(body.body), sample(name));
}

#[tokio::test]
async fn broken_gzip_keeps_what_was_unpacked_and_is_marked() {
    for name in ["truncated-crc-error.gz", "truncated-crc-error-short.gz", "unexpected-eof.gz"] {
        let Some(body) = decoded("gzip", name).await else {
            return;
        };
        assert_eq!(body.truncated, Some(Truncation::Coding), "{name}");
        assert!(!body.body.is_empty(), "{name}");
    }
}
