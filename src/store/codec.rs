//! Records to bytes and back: one version byte, then postcard.
//!
//! Queue entries, of which there are millions, are packed further: the origin is not repeated in front of every path, and
//! what a request has in common with a plain GET is left out. The packing knows nothing of the request's fields but that
//! the URL comes first, so a field that is added later is kept too. Bytes that do not read back are an error, never a guess.

use std::sync::LazyLock;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Pending, QueueKey};
use crate::request::Request;
use crate::url::CanonicalUrl;

/// The first byte of every record.
const VERSION: u8 = 4;
/// Most records are shorter: room for them is made once.
const USUAL_BYTES: usize = 240;
/// Of a queue entry: its page was there in an earlier round.
const KNOWN: u8 = 1;
/// Of a queue entry: it was tried, refused or missing before, and how often follows.
const COUNTED: u8 = 2;

/// Why bytes are not the record that they should be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// Ended before the record did.
    #[error("a record ends too early")]
    Short,
    /// Written by another version, or not by this program.
    #[error("a record has version {0}, known is {VERSION}")]
    Version(u8),
    /// Bytes behind the end of the record.
    #[error("a record has {0} bytes too many")]
    Surplus(usize),
    /// What should be a URL or an origin is not.
    #[error("what should be a URL is none")]
    Text,
    /// Not of the expected type.
    #[error("a record does not read back: {0}")]
    Shape(#[from] postcard::Error),
}

/// The bytes of a record.
///
/// # Errors
/// If `T` cannot be written as postcard.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CodecError> {
    encode_behind(value, Vec::with_capacity(USUAL_BYTES))
}

/// As [`encode`], behind what is there already.
///
/// # Errors
/// As for [`encode`].
pub(super) fn encode_behind<T: Serialize + ?Sized>(
    value: &T,
    mut out: Vec<u8>,
) -> Result<Vec<u8>, CodecError> {
    out.push(VERSION);
    Ok(postcard::to_extend(value, out)?)
}

/// The record of some bytes.
///
/// # Errors
/// [`CodecError`] if they are of another version, of another type, or more than the record.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    whole(after_version(bytes)?)
}

/// The bytes of a queue entry of this origin; its key is stored beside them. A page that was missing more than 255 times in a row
/// is written as if it had been 255 times.
///
/// # Errors
/// If the request cannot be written as postcard.
pub fn encode_pending(pending: &Pending, origin: &str) -> Result<Vec<u8>, CodecError> {
    let Pending { tries, refusals, missing, known, request, .. } = pending;
    let url = request.url.as_str();
    let bytes = postcard::to_extend(request, Vec::with_capacity(url.len() + 64))?;
    let rest = &bytes[text_end(url)..];
    let shown = url.strip_prefix(origin).filter(|path| path.starts_with('/')).unwrap_or(url);
    let mut out = Vec::with_capacity(8 + shown.len());
    let counts = [*tries, *refusals, *missing];
    let counted = if counts == [0; 3] { 0 } else { COUNTED };
    out.extend([VERSION, counted | if *known { KNOWN } else { 0 }]);
    if counted > 0 {
        out.extend(counts);
    }
    push_rest(&mut out, rest)?;
    out.extend(shown.as_bytes());
    Ok(out)
}

/// The queue entry of some bytes, as [`encode_pending`] wrote them.
///
/// # Errors
/// As for [`decode`].
pub fn decode_pending(key: QueueKey, bytes: &[u8], origin: &str) -> Result<Pending, CodecError> {
    let (&marks, bytes) = after_version(bytes)?.split_first().ok_or(CodecError::Short)?;
    let (&[tries, refusals, missing], bytes) = match marks & COUNTED {
        0 => (&[0; 3], bytes),
        _ => bytes.split_first_chunk().ok_or(CodecError::Short)?,
    };
    let (rest, shown) = take_rest(bytes)?;
    let shown = std::str::from_utf8(shown).map_err(|_| CodecError::Text)?;
    let base = if shown.starts_with('/') { origin } else { "" };
    let mut request = Vec::with_capacity(base.len() + shown.len() + 64);
    push_length(&mut request, base.len() + shown.len());
    [base.as_bytes(), shown.as_bytes()].into_iter().for_each(|part| request.extend(part));
    rest.into_iter().for_each(|part| request.extend(part));
    let known = marks & KNOWN != 0;
    Ok(Pending { key, tries, refusals, missing, known, request: whole(&request)? })
}

/// What follows the URL in a plain GET: the pattern that others are compared with.
static PLAIN_REST: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let url = CanonicalUrl::parse("http://a.example/").expect("a URL in normal form");
    let end = text_end(url.as_str());
    let mut plain = postcard::to_stdvec(&Request::get(url)).expect("a plain request can be written");
    plain.split_off(end)
});

/// Where the rest of a record begins that begins with this text: behind the text and its length, of which a byte holds seven bits.
fn text_end(text: &str) -> usize {
    let bits = usize::BITS - text.len().leading_zeros();
    bits.div_ceil(7).max(1) as usize + text.len()
}

/// A length as postcard writes it: seven bits a byte, the lowest first.
fn push_length(out: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
}

/// Writes what stands in `rest` between the part that it begins with like a plain GET and the part that it ends with like one.
fn push_rest(out: &mut Vec<u8>, rest: &[u8]) -> Result<(), CodecError> {
    let plain = &**PLAIN_REST;
    let before = rest.iter().zip(plain).take_while(|(one, other)| one == other).count();
    let (own, others) = (&rest[before..], &plain[before..]);
    let behind = own.iter().rev().zip(others.iter().rev()).take_while(|(one, other)| one == other).count();
    out.extend([before as u8, behind as u8]);
    push_length(out, own.len() - behind);
    out.extend(&own[..own.len() - behind]);
    Ok(())
}

/// Reads what [`push_rest`] wrote: the three parts of the rest of the request, and the bytes behind it.
fn take_rest(bytes: &[u8]) -> Result<([&[u8]; 3], &[u8]), CodecError> {
    let (&[before, behind], bytes) = bytes.split_first_chunk().ok_or(CodecError::Short)?;
    let (own, shown) = postcard::take_from_bytes::<&[u8]>(bytes)?;
    let plain = &**PLAIN_REST;
    let begin = plain.get(..usize::from(before)).ok_or(CodecError::Short)?;
    let end = plain.len().checked_sub(usize::from(behind)).ok_or(CodecError::Short)?;
    Ok(([begin, own, &plain[end..]], shown))
}

fn after_version(bytes: &[u8]) -> Result<&[u8], CodecError> {
    match bytes.split_first() {
        Some((&VERSION, rest)) => Ok(rest),
        Some((&other, _)) => Err(CodecError::Version(other)),
        None => Err(CodecError::Short),
    }
}

fn whole<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    match postcard::take_from_bytes(bytes)? {
        (value, []) => Ok(value),
        (_, rest) => Err(CodecError::Surplus(rest.len())),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::politeness::HostState;
    use crate::request::{Dedup, Kind};
    use crate::store::{FailedRecord, RunRecord};
    use crate::time::Timestamp;

    fn there_and_back(pending: &Pending) -> Vec<u8> {
        let origin = pending.request.origin();
        let bytes = encode_pending(pending, origin.as_str()).unwrap();
        let read = decode_pending(pending.key, &bytes, origin.as_str()).unwrap();
        assert_eq!(&read, pending);
        bytes
    }

    fn pending(request: Request) -> Pending {
        Pending::new(QueueKey::new(request.priority, 7), request)
    }

    prop_compose! {
        fn requests()(
            path in "[a-z/?=&%0-9]{0,40}",
            user in prop::option::of("[a-z]{1,5}"),
            post in prop::option::of(prop::collection::vec(any::<u8>(), 0..20)),
            headers in prop::collection::vec(("[a-z-]{1,9}", "\\PC{0,9}"), 0..3),
            label in prop::option::of("\\PC{0,9}"),
            text in prop::option::of("\\PC{0,9}"),
            (priority, depth, hops, spider) in (any::<i8>(), any::<u32>(), any::<u8>(), any::<u16>()),
            (not_before, never, level) in (any::<Option<u64>>(), any::<bool>(), any::<Option<u8>>()),
            (modified, every) in (any::<Option<u64>>(), any::<Option<u32>>()),
        ) -> Request {
            let user = user.map(|user| format!("{user}:pw@")).unwrap_or_default();
            let url = CanonicalUrl::parse(&format!("https://{user}a.example:8443/{path}")).unwrap();
            let mut request = post.map_or_else(|| Request::get(url.clone()), |body| Request::post(url.clone(), body));
            request.headers = headers;
            request.label = label.map(Into::into);
            request.depth = depth;
            request.hops = hops;
            request.spider = spider;
            request.not_before = not_before.map(Timestamp::from_millis);
            request.modified = modified.map(Timestamp::from_millis);
            request.every = every.map(|every| std::time::Duration::from_secs(every.into()));
            if let Some(level) = level { request.kind = Kind::Sitemap { level }; }
            if never { request.dedup = Dedup::Never; }
            match text {
                Some(text) => request.priority(priority).with_data(&text).unwrap(),
                None => request.priority(priority),
            }
        }
    }

    proptest! {
        #[test]
        fn every_request_comes_back_as_it_was(
            request in requests(),
            (tries, refusals, missing, known) in any::<(u8, u8, u8, bool)>(),
            seq in any::<u64>(),
        ) {
            let key = QueueKey::new(request.priority, seq);
            there_and_back(&Pending { key, tries, refusals, missing, known, request });
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), versioned in any::<bool>()) {
            let mut bytes = bytes;
            if versioned && !bytes.is_empty() { bytes[0] = VERSION; }
            let key = QueueKey { band: 0, seq: 0 };
            let _ = decode_pending(key, &bytes, "http://a.example");
            let _ = decode::<RunRecord>(&bytes);
            let _ = decode::<HostState>(&bytes);
            let _ = decode::<FailedRecord>(&bytes);
        }

        #[test]
        fn a_flipped_byte_is_an_error_or_another_request_but_no_panic(request in requests(), at in any::<prop::sample::Index>(), mask in 1_u8..) {
            let mut bytes = there_and_back(&pending(request));
            let at = at.index(bytes.len());
            bytes[at] ^= mask;
            let _ = decode_pending(QueueKey { band: 0, seq: 0 }, &bytes, "https://a.example:8443");
        }
    }

    #[test]
    fn a_typical_link_costs_its_path_and_a_few_bytes() {
        let mut request = Request::get(CanonicalUrl::parse("https://a.example/books/42?page=3").unwrap());
        request.depth = 2;
        assert_eq!(there_and_back(&pending(request)).len(), "/books/42?page=3".len() + 6);
    }

    #[test]
    fn a_label_and_data_cost_themselves_and_a_few_bytes() {
        let mut request = Request::get(CanonicalUrl::parse("https://a.example/books/42").unwrap());
        request.depth = 2;
        let request = request.label("detail").with_data(&[1, 2, 3]).unwrap();
        assert_eq!(there_and_back(&pending(request)).len(), "/books/42detail[1,2,3]".len() + 11);
    }

    #[test]
    fn another_version_and_a_surplus_are_named() {
        let mut bytes = encode(&7_u64).unwrap();
        assert_eq!(decode::<u64>(&bytes).unwrap(), 7);
        bytes.push(0);
        assert!(matches!(decode::<u64>(&bytes), Err(CodecError::Surplus(1))));
        bytes[0] = 9;
        assert!(matches!(decode::<u64>(&bytes), Err(CodecError::Version(9))));
        assert!(matches!(decode::<u64>(&[]), Err(CodecError::Short)));
    }
}
