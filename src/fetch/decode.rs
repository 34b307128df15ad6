//! Undoing content codings under limits.
//!
//! The rule kept: whatever a body claims to be, no more than [`Bounds::body`] bytes of it are unpacked, no more than
//! [`Bounds::ratio`] times what came in, and no more memory is held than that. A body that is not whole says why. At most two
//! codings are undone: nobody nests deeper for a good reason.
//!
//! Knows nothing of connections: the wire is a stream of pieces that may end with an error.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};

use async_compression::tokio::bufread::{
    BrotliDecoder, DeflateDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder,
};
use async_compression::zstd::DParameter;
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio_util::io::StreamReader;

use super::FetchError;
use crate::response::{FailureKind, Truncation};

/// The codings that can be undone, as `Accept-Encoding` names them.
pub const ACCEPTED: &str = "gzip, br, zstd, deflate";

/// The ratio counts only after this many unpacked bytes: small pages of repeated markup are no bombs.
const FREE_OF_RATIO: u64 = 1 << 20;
/// Room behind a body that is given back.
const SPARE: usize = 16 << 10;
/// Packed bytes may be this many more than the limit on unpacked ones: what cannot be packed grows a little.
const PACKING_SLACK: u64 = 64 << 10;
/// Codings that are undone on one body.
pub const MOST_CODINGS: usize = 2;
/// How gzip with its only method begins (RFC 1952 2.3.1).
const GZIP_MAGIC: [u8; 3] = [0x1f, 0x8b, 8];
/// Base-two logarithm of the most memory a zstd frame may ask for: 8 MiB, the bound for the web (RFC 9659 section 3).
const ZSTD_WINDOW_LOG: u32 = 23;

/// How much of a body is kept.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Unpacked bytes.
    pub body: u64,
    /// Unpacked bytes per byte on the wire, counted after the first MiB.
    pub ratio: u64,
    /// Codings that are undone on one body; a body with more of them stays as it is. [`MOST_CODINGS`] is the most.
    pub codings: usize,
}

/// A body with its codings undone.
#[derive(Debug)]
pub struct Decoded {
    /// What was unpacked, up to the limit. What a failed decoder had given before it failed is kept. If the coding is not known
    /// or was not applied at all, the bytes are those of the wire.
    pub body: Bytes,
    /// Why it is not whole, if it is not.
    pub truncated: Option<Truncation>,
    /// Bytes that were taken from the wire.
    pub wire_bytes: u64,
}

/// All lines of the field as one list (RFC 9110 5.3). What is not text is no known coding either.
pub(super) fn content_encoding(headers: &HeaderMap) -> String {
    let lines = headers.get_all(CONTENT_ENCODING).iter();
    let lines: Vec<&str> = lines.map(|line| line.to_str().unwrap_or("?")).collect();
    lines.join(",")
}

/// Undoes the codings of a body that lies in memory.
///
/// `encoding` is the value of the `Content-Encoding` field (RFC 9110 8.4): a comma list in the order the codings were applied.
pub async fn decode(encoding: &str, body: Bytes, bounds: Bounds) -> Decoded {
    let pieces = stream::iter((!body.is_empty()).then_some(Ok(body)));
    decode_stream(encoding, pieces.boxed(), bounds, 0).await.0
}

/// Undoes gzip where the content is gzip itself, whatever its name and type say: a file such as `sitemap.xml.gz`, packed once
/// or twice. Gives the body and why it is not whole, if it is not.
pub async fn unpack_gzip(mut body: Bytes, bounds: Bounds) -> (Bytes, Option<Truncation>) {
    for _ in 0..MOST_CODINGS {
        if !body.starts_with(&GZIP_MAGIC) {
            break;
        }
        let unpacked = decode("gzip", body, bounds).await;
        body = unpacked.body;
        if unpacked.truncated.is_some() {
            return (body, unpacked.truncated);
        }
    }
    (body, None)
}

/// As [`decode`], piece by piece. Stops pulling when a limit is reached.
///
/// Room for `expected` bytes is made at once. The wire reports its end as an [`io::Error`] that holds a [`FetchError`]; it is handed back beside what was decoded till then.
pub(crate) async fn decode_stream<S>(
    encoding: &str,
    pieces: S,
    bounds: Bounds,
    expected: usize,
) -> (Decoded, Option<FetchError>)
where
    S: Stream<Item = io::Result<Bytes>> + Send + Unpin,
{
    let wire = AtomicU64::new(0);
    let counted = pieces.inspect(|piece| {
        let length = piece.as_ref().map_or(0, Bytes::len);
        wire.fetch_add(length as u64, Ordering::Relaxed);
    });
    let (codings, known) = codings(encoding, bounds.codings);
    let mut layers = Layers { lied: !known, ..Layers::new(StreamReader::new(counted), bounds) };
    let mut body = Vec::with_capacity(expected);
    let ended = match layers.undo(&codings).await {
        Ok(()) => read(&mut layers.reader, &mut body, &wire, bounds).await,
        Err(error) => Err(error),
    };
    let wire_bytes = wire.load(Ordering::Relaxed);
    let (truncated, lost) = match ended {
        Ok(None) => (layers.lied.then_some(Truncation::Coding), None),
        Ok(limit) => (limit, None),
        Err(error) => cause_of(error),
    };
    if body.capacity() - body.len() > SPARE {
        body.shrink_to_fit();
    }
    let decoded = Decoded { body: body.into(), truncated, wire_bytes };
    (decoded, lost)
}

/// Tells an error of the wire from an error of a decoder.
pub(super) fn cause_of(error: io::Error) -> (Option<Truncation>, Option<FetchError>) {
    match error.downcast::<FetchError>() {
        Ok(lost) if lost.kind == FailureKind::BodyTimeout => (Some(Truncation::Time), Some(lost)),
        Ok(lost) => (Some(Truncation::Disconnect), Some(lost)),
        Err(_) => (Some(Truncation::Coding), None),
    }
}

/// One content coding (RFC 9110 8.4.1, RFC 7932, RFC 8878).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

impl Coding {
    /// Whether a stream of this coding can begin so. Where it cannot, the coding was announced but not applied.
    const fn may_begin_with(self, first: u8) -> bool {
        match self {
            Self::Gzip => first == 0x1f,
            // This pattern is invalid (RFC 7932 9.1); an extension uses it to ask for windows of up to a GiB.
            Self::Brotli => first & 0x7f != 0x11,
            Self::Deflate | Self::Zstd => true,
        }
    }
}

/// The codings in the order they were applied, `most` of them, and whether all of them can be undone. If not, none is.
pub(super) fn codings(encoding: &str, most: usize) -> (Vec<Coding>, bool) {
    let mut list = Vec::new();
    for name in encoding.split(',').map(|name| name.trim().to_ascii_lowercase()) {
        match name.as_str() {
            "gzip" | "x-gzip" => list.push(Coding::Gzip),
            "deflate" => list.push(Coding::Deflate),
            "br" => list.push(Coding::Brotli),
            "zstd" => list.push(Coding::Zstd),
            // The last three name no content coding, yet servers send them on bodies that are plain.
            "" | "identity" | "none" | "utf-8" | "aws-chunked" => {}
            _ => return (Vec::new(), false),
        }
        if list.len() > most.min(MOST_CODINGS) {
            return (Vec::new(), false);
        }
    }
    (list, true)
}

pub(super) type Reader<'a> = Pin<Box<dyn AsyncBufRead + Send + 'a>>;

/// The wire with decoders stacked on it.
pub(super) struct Layers<'a> {
    reader: Reader<'a>,
    /// A coding was announced that was not applied or is not known.
    lied: bool,
    bounds: Bounds,
}

impl<'a> Layers<'a> {
    /// The wire alone.
    pub(super) fn new(wire: impl AsyncBufRead + Send + 'a, bounds: Bounds) -> Self {
        Self { reader: Box::pin(wire), lied: false, bounds }
    }

    /// What comes out of the last decoder.
    pub(super) fn reader(&mut self) -> &mut Reader<'a> {
        &mut self.reader
    }

    /// Stacks the decoders, the coding that was applied last first. Stops at one that was announced but not applied.
    pub(super) async fn undo(&mut self, codings: &[Coding]) -> io::Result<()> {
        for coding in codings.iter().rev() {
            self.bound();
            let Some(&first) = self.reader.fill_buf().await?.first() else {
                return Ok(());
            };
            if !coding.may_begin_with(first) {
                self.lied = true;
                return Ok(());
            }
            self.stack(*coding, first);
        }
        Ok(())
    }

    fn stack(&mut self, coding: Coding, first: u8) {
        let packed = std::mem::replace(&mut self.reader, Box::pin(tokio::io::empty()));
        self.reader = match coding {
            Coding::Gzip => {
                let mut decoder = GzipDecoder::new(packed);
                decoder.multiple_members(true);
                Box::pin(BufReader::new(decoder))
            }
            Coding::Deflate if looks_like_zlib(first) => Box::pin(BufReader::new(ZlibDecoder::new(packed))),
            Coding::Deflate => Box::pin(BufReader::new(DeflateDecoder::new(packed))),
            Coding::Brotli => Box::pin(BufReader::new(BrotliDecoder::new(packed))),
            Coding::Zstd => {
                let window = [DParameter::window_log_max(ZSTD_WINDOW_LOG)];
                let mut decoder = ZstdDecoder::with_params(packed, &window);
                decoder.multiple_members(true);
                Box::pin(BufReader::new(decoder))
            }
        };
    }

    /// What goes into a decoder is bounded too: it could grow for ever without a byte coming out at the other end.
    fn bound(&mut self) {
        let most = self.bounds.body.saturating_add(PACKING_SLACK);
        let inner = std::mem::replace(&mut self.reader, Box::pin(tokio::io::empty()));
        self.reader = Box::pin(inner.take(most));
    }
}

/// `deflate` means zlib (RFC 9110 8.4.1.2), but some servers send it without its header. The low half of a zlib header is 8; a
/// bare deflate stream that begins so would be a stored block with stray bits in its padding, which no encoder writes.
const fn looks_like_zlib(first: u8) -> bool {
    first & 0x0f == 8
}

/// Reads until the end or a limit.
async fn read(
    reader: &mut Reader<'_>,
    body: &mut Vec<u8>,
    wire: &AtomicU64,
    bounds: Bounds,
) -> io::Result<Option<Truncation>> {
    loop {
        let piece = reader.fill_buf().await?;
        if piece.is_empty() {
            return Ok(None);
        }
        let room = bounds.body.saturating_sub(body.len() as u64);
        if piece.len() as u64 > room {
            body.extend_from_slice(&piece[..usize::try_from(room).unwrap_or(usize::MAX)]);
            return Ok(Some(Truncation::Length));
        }
        body.extend_from_slice(piece);
        let taken = piece.len();
        reader.consume(taken);
        let (unpacked, packed) = (body.len() as u64, wire.load(Ordering::Relaxed));
        if unpacked > FREE_OF_RATIO && unpacked > packed.saturating_mul(bounds.ratio) {
            return Ok(Some(Truncation::Ratio));
        }
        tokio::task::coop::consume_budget().await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use async_compression::tokio::write::{BrotliEncoder, GzipEncoder, ZstdEncoder};
    use async_compression::zstd::CParameter;
    use async_compression::{Level, tokio::write::DeflateEncoder};
    use proptest::prelude::*;
    use tokio::io::{AsyncWrite, AsyncWriteExt};

    use super::*;

    const BOUNDS: Bounds = Bounds { body: 1 << 20, ratio: 200, codings: MOST_CODINGS };

    async fn packed<E: AsyncWrite + Unpin>(encoder: E, plain: &[u8], unwrap: fn(E) -> Vec<u8>) -> Vec<u8> {
        let mut encoder = encoder;
        encoder.write_all(plain).await.unwrap();
        encoder.shutdown().await.unwrap();
        unwrap(encoder)
    }

    async fn gzip(plain: &[u8]) -> Vec<u8> {
        packed(GzipEncoder::new(Vec::new()), plain, GzipEncoder::into_inner).await
    }

    async fn decoded(encoding: &str, body: impl Into<Bytes>) -> Decoded {
        decode(encoding, body.into(), BOUNDS).await
    }

    #[tokio::test]
    async fn a_body_without_a_coding_is_what_it_is() {
        for encoding in ["", "identity", " Identity , ", "none", "utf-8"] {
            let page = decoded(encoding, "plain").await;
            assert_eq!((&page.body[..], page.truncated, page.wire_bytes), (&b"plain"[..], None, 5));
        }
    }

    #[tokio::test]
    async fn an_empty_body_is_whole_in_every_coding() {
        for encoding in ["gzip", "deflate", "br", "zstd", "gzip, gzip"] {
            let page = decoded(encoding, "").await;
            assert_eq!((page.body.len(), page.truncated), (0, None), "{encoding}");
        }
    }

    #[tokio::test]
    async fn all_members_of_a_gzip_body_are_unpacked() {
        let body = [gzip(b"one ").await, gzip(b"two").await].concat();
        let page = decoded("gzip", body).await;
        assert_eq!((&page.body[..], page.truncated), (&b"one two"[..], None));
    }

    #[tokio::test]
    async fn a_file_that_is_gzip_by_content_is_unpacked_and_another_is_not() {
        let packed = gzip(b"<urlset/>").await;
        for body in [b"<urlset/>".to_vec(), packed.clone(), gzip(&packed).await] {
            assert_eq!(unpack_gzip(body.into(), BOUNDS).await, (Bytes::from_static(b"<urlset/>"), None));
        }
        let (_, cut) = unpack_gzip(packed[..packed.len() / 2].to_vec().into(), BOUNDS).await;
        assert_eq!(cut, Some(Truncation::Coding));
        let bomb = gzip(&vec![0; 4 << 20]).await;
        let (body, cut) = unpack_gzip(bomb.into(), BOUNDS).await;
        assert!(body.len() <= 1 << 20 && cut.is_some());
    }

    #[tokio::test]
    async fn two_codings_are_undone_and_three_are_not() {
        let twice = gzip(&gzip(b"page").await).await;
        assert_eq!(&decoded("gzip, gzip", twice.clone()).await.body[..], b"page");
        let page = decoded("gzip, gzip, gzip", twice.clone()).await;
        assert_eq!((&page.body[..], page.truncated), (&twice[..], Some(Truncation::Coding)));
    }

    #[tokio::test]
    async fn a_coding_that_was_not_applied_or_is_not_known_leaves_the_bytes_as_they_came() {
        for encoding in ["gzip", "compress", "gzip, what", "x-gzip"] {
            let page = decoded(encoding, "<p>plain").await;
            let expected = (&b"<p>plain"[..], Some(Truncation::Coding));
            assert_eq!((&page.body[..], page.truncated), expected, "{encoding}");
        }
    }

    #[tokio::test]
    async fn a_stream_that_breaks_off_keeps_what_came_out() {
        let plain: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        let deflate = packed(DeflateEncoder::new(Vec::new()), &plain, DeflateEncoder::into_inner).await;
        let br = packed(
            BrotliEncoder::with_quality(Vec::new(), Level::Fastest),
            &plain,
            BrotliEncoder::into_inner,
        )
        .await;
        let gzip = gzip(&plain).await;
        for (encoding, whole) in [("gzip", gzip), ("deflate", deflate), ("br", br)] {
            let page = decoded(encoding, whole[..whole.len() / 2].to_vec()).await;
            assert_eq!(page.truncated, Some(Truncation::Coding), "{encoding}");
            assert!(page.body.len() > 1_000 && plain.starts_with(&page.body), "{encoding}");
        }
    }

    #[tokio::test]
    async fn what_never_gives_a_byte_is_bounded_all_the_same() {
        let empty_members = gzip(b"").await.repeat(200_000);
        let page = decoded("gzip", empty_members.clone()).await;
        assert_eq!((page.body.len(), page.truncated), (0, Some(Truncation::Coding)));
        let page = decoded("gzip, gzip", gzip(&empty_members).await).await;
        assert_eq!((page.body.len(), page.truncated), (0, Some(Truncation::Coding)));
    }

    #[tokio::test]
    async fn windows_beyond_what_the_web_allows_are_refused() {
        let wide =
            ZstdEncoder::with_quality_and_params(Vec::new(), Level::Fastest, &[CParameter::window_log(27)]);
        let body = packed(wide, &vec![7; 300_000], ZstdEncoder::into_inner).await;
        let page = decoded("zstd", body).await;
        assert_eq!((page.body.len(), page.truncated), (0, Some(Truncation::Coding)));
        let page = decoded("br", &b"\x11\x1e\x00"[..]).await;
        assert_eq!(page.truncated, Some(Truncation::Coding));
    }

    #[tokio::test]
    async fn small_pages_of_much_repetition_are_no_bombs() {
        let page = decode("gzip", gzip(&vec![b' '; 1 << 20]).await.into(), BOUNDS).await;
        assert_eq!((page.body.len(), page.truncated), (1 << 20, None));
    }

    #[tokio::test]
    async fn the_way_the_wire_ended_is_told_apart_from_a_broken_coding() {
        let whole = gzip(b"some page").await;
        for (kind, mark) in
            [(FailureKind::BodyTimeout, Truncation::Time), (FailureKind::Reset, Truncation::Disconnect)]
        {
            let error = io::Error::other(FetchError::new(kind, "gone"));
            let pieces = stream::iter([Ok(Bytes::copy_from_slice(&whole[..15])), Err(error)]);
            let (page, lost) = decode_stream("gzip", pieces, BOUNDS, 0).await;
            assert_eq!((page.truncated, lost.unwrap().kind), (Some(mark), kind));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_and_no_coding_do_harm(
            body in proptest::collection::vec(any::<u8>(), 0..2_000),
            encoding in "(gzip|deflate|br|zstd|x|, ?){0,4}",
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            let page = runtime.block_on(async {
                let work = decode(&encoding, body.into(), Bounds { body: 10_000, ratio: 2, codings: MOST_CODINGS });
                tokio::time::timeout(Duration::from_secs(10), work).await.unwrap()
            });
            prop_assert!(page.body.len() <= 10_000);
        }
    }
}
