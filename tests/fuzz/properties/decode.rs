//! Content codings: the first byte chooses them, the second the bounds, the rest is the body. What is packed here is unpacked to
//! what it was; what comes in pieces is what comes whole.

use std::cell::RefCell;
use std::future::Future;
use std::io::Write;

use bytes::Bytes;
use crawl::fetch::decode::{Bounds, Decoded, MOST_CODINGS, decode, unpack_gzip};
use crawl::response::Truncation;
use crawl::testing::inside::decode_pieces;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use tokio::runtime::{Builder, Runtime};

const CODINGS: [&str; 12] = [
    "gzip",
    "deflate",
    "br",
    "zstd",
    "",
    "gzip, gzip",
    "br, gzip",
    "x-gzip",
    "identity",
    "what",
    "gzip, what",
    "gzip, gzip, gzip",
];

thread_local! {
    static RUNTIME: RefCell<Runtime> =
        RefCell::new(Builder::new_current_thread().build().expect("a runtime without anything"));
}

fn wait<T>(work: impl Future<Output = T>) -> T {
    RUNTIME.with_borrow(|runtime| runtime.block_on(work))
}

pub fn check(bytes: &[u8]) {
    let [coding, limits, body @ ..] = bytes else { return };
    let coding = CODINGS[usize::from(*coding) % CODINGS.len()];
    let bounds =
        Bounds { body: 1 << (limits % 21), ratio: 1 + u64::from(limits / 21), codings: MOST_CODINGS };
    let body = Bytes::copy_from_slice(body);
    let whole = wait(decode(coding, body.clone(), bounds));
    is_bounded(&whole, &body, bounds);
    for length in [1, 7, 1_000].into_iter().filter(|length| body.len() / length < 4_000) {
        let pieces: Vec<Bytes> = body.chunks(length).map(Bytes::copy_from_slice).collect();
        let pieces = wait(decode_pieces(coding, pieces, bounds));
        is_bounded(&pieces, &body, bounds);
        assert!(agree(&whole, &pieces), "{coding}, {length} bytes a piece: {whole:?} and {pieces:?}");
    }
    let (unpacked, _) = wait(unpack_gzip(body.clone(), bounds));
    assert!(unpacked.len() as u64 <= bounds.body.max(body.len() as u64));
    packed_comes_back(&body);
}

/// Where a coding is broken it depends on the pieces how much came out before that was noticed, and where the ratio counts, when
/// it is looked at.
fn agree(whole: &Decoded, pieces: &Decoded) -> bool {
    let shorter = whole.body.len().min(pieces.body.len());
    let both = [whole, pieces];
    if both.iter().any(|decoded| decoded.truncated == Some(Truncation::Coding)) {
        let both_say_so = both.iter().all(|decoded| decoded.truncated.is_some());
        return both_say_so && whole.body[..shorter] == pieces.body[..shorter];
    }
    let is_same = (&whole.body, whole.truncated) == (&pieces.body, pieces.truncated);
    is_same || both.iter().any(|decoded| decoded.truncated == Some(Truncation::Ratio))
}

fn is_bounded(decoded: &Decoded, body: &Bytes, bounds: Bounds) {
    assert!(decoded.body.len() as u64 <= bounds.body, "{} of {}", decoded.body.len(), bounds.body);
    assert!(decoded.wire_bytes <= body.len() as u64);
}

fn packed_comes_back(body: &[u8]) {
    let body = &body[..body.len().min(10_000)];
    let level = Compression::fast();
    let mut gzip = GzEncoder::new(Vec::new(), level);
    let mut zlib = ZlibEncoder::new(Vec::new(), level);
    let mut deflate = DeflateEncoder::new(Vec::new(), level);
    for encoder in [&mut gzip as &mut dyn Write, &mut zlib, &mut deflate] {
        encoder.write_all(body).expect("a Vec takes everything");
    }
    let gzip = gzip.finish().expect("a Vec takes everything");
    let twice = {
        let mut again = GzEncoder::new(Vec::new(), level);
        again.write_all(&gzip).expect("a Vec takes everything");
        again.finish().expect("a Vec takes everything")
    };
    let packed = [
        ("deflate", zlib.finish().expect("a Vec takes everything")),
        ("deflate", deflate.finish().expect("a Vec takes everything")),
        ("zstd", zstd::encode_all(body, 1).expect("a Vec takes everything")),
        ("gzip, gzip", twice),
        ("gzip", gzip),
    ];
    let bounds = Bounds { body: 10_000, ratio: 200, codings: MOST_CODINGS };
    for (coding, packed) in packed {
        let back = wait(decode(coding, packed.into(), bounds));
        assert_eq!((&back.body[..], back.truncated), (body, None), "{coding}");
    }
}
