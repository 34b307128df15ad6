//! One recorded answer as bytes: a head, the packed body, and a checksum over both.
//!
//! ```text
//! "CRB1"  length of the head (4 bytes)  head (postcard)  body (zstd)  xxh3 of all before (8 bytes)
//! ```
//!
//! Numbers are little-endian. What does not read back to the last byte is damage, never a shorter page.

use std::io::Read;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Exchange;
use crate::request::{Kind, Request};
use crate::response::{Response, Truncation};
use crate::store::codec;
use crate::time::Timestamp;
use crate::url::{CanonicalUrl, Fingerprint};

/// The format of these files.
const MAGIC: &[u8; 4] = b"CRB1";
const CHECKSUM: usize = size_of::<u64>();
/// A page of HTML loses two thirds of its size here; higher levels cost more time than they save room.
const LEVEL: i32 = 3;

/// Header fields that decide what an answer means to a spider. Cookies and everything else are left out.
static KEPT: [HeaderName; 10] = [
    header::CONTENT_TYPE,
    header::CONTENT_LANGUAGE,
    header::CONTENT_LOCATION,
    header::CONTENT_DISPOSITION,
    header::LINK,
    header::LOCATION,
    header::REFRESH,
    header::LAST_MODIFIED,
    header::ETAG,
    HeaderName::from_static("x-robots-tag"),
];

/// Why bytes are no recorded answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum FrameError {
    #[error("it is not whole, or was changed")]
    Checksum,
    #[error("it was written by another version")]
    Version,
    #[error("its head does not read back: {0}")]
    Head(#[from] codec::CodecError),
    #[error("its head holds what is no {0}")]
    Field(&'static str),
    #[error("its body does not unpack: {0}")]
    Body(#[from] std::io::Error),
}

/// Everything but the body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    url: CanonicalUrl,
    method: String,
    kind: Kind,
    label: Option<String>,
    data: Option<String>,
    depth: u32,
    status: u16,
    headers: Vec<(String, Vec<u8>)>,
    pub(super) truncated: Option<Truncation>,
    wire_bytes: u64,
    at: Timestamp,
    /// Bytes of the body, unpacked.
    pub(super) length: u64,
    digest: Fingerprint,
}

impl Head {
    pub(super) fn of(request: &Request, response: &Response) -> Self {
        let data = request.data::<Value>().ok().filter(|data| !data.is_null());
        Self {
            url: response.url.clone(),
            method: request.method.as_str().to_owned(),
            kind: request.kind,
            label: request.label.as_deref().map(str::to_owned),
            data: data.map(|data| data.to_string()),
            depth: request.depth,
            status: response.status.as_u16(),
            headers: telling_headers(&response.headers).map(owned).collect(),
            truncated: response.truncated,
            wire_bytes: response.wire_bytes,
            at: response.ended,
            length: response.body.len() as u64,
            digest: Fingerprint::of(&response.body),
        }
    }

    /// Whether a spider would see no difference. An ETag that changes while the page does not is none.
    pub(super) fn says_the_same_as(&self, other: &Self) -> bool {
        let telling = |head: &Self| -> Vec<_> {
            let headers = head.headers.iter().filter(|(name, _)| name != header::ETAG.as_str());
            headers.cloned().collect()
        };
        let plain = |head: &Self| Self {
            headers: Vec::new(),
            wire_bytes: 0,
            depth: 0,
            at: Timestamp::ZERO,
            ..head.clone()
        };
        telling(self) == telling(other) && plain(self) == plain(other)
    }

    fn request(&self) -> Result<Request, FrameError> {
        let mut request = Request::get(self.url.clone());
        request.method =
            Method::from_bytes(self.method.as_bytes()).map_err(|_| FrameError::Field("method"))?;
        (request.kind, request.depth) = (self.kind, self.depth);
        if let Some(label) = &self.label {
            request = request.label(label.as_str());
        }
        let Some(data) = &self.data else {
            return Ok(request);
        };
        let data = serde_json::from_str::<Value>(data).map_err(|_| FrameError::Field("JSON"))?;
        request.with_data(&data).map_err(|_| FrameError::Field("JSON"))
    }

    fn response(&self, body: Vec<u8>) -> Result<Response, FrameError> {
        let status = StatusCode::from_u16(self.status).map_err(|_| FrameError::Field("status"))?;
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let name =
                HeaderName::from_bytes(name.as_bytes()).map_err(|_| FrameError::Field("header name"))?;
            let value = HeaderValue::from_bytes(value).map_err(|_| FrameError::Field("header value"))?;
            headers.append(name, value);
        }
        Ok(Response {
            headers,
            truncated: self.truncated,
            wire_bytes: self.wire_bytes,
            started: self.at,
            first_byte: self.at,
            ended: self.at,
            ..Response::of(self.url.clone(), status, Bytes::from(body))
        })
    }
}

/// The header fields that are recorded: those that decide what an answer means to a spider.
pub fn telling_headers(headers: &HeaderMap) -> impl Iterator<Item = (&'static str, &HeaderValue)> {
    let named = |name: &'static HeaderName| headers.get_all(name).iter().map(|value| (name.as_str(), value));
    KEPT.iter().flat_map(named)
}

fn owned((name, value): (&str, &HeaderValue)) -> (String, Vec<u8>) {
    (name.to_owned(), value.as_bytes().to_vec())
}

/// The file of an answer.
pub(super) fn pack(head: &Head, body: &[u8]) -> Result<Vec<u8>, FrameError> {
    let coded = codec::encode(head)?;
    let length = u32::try_from(coded.len()).map_err(|_| FrameError::Field("head"))?;
    let mut file = Vec::with_capacity(coded.len() + body.len() / 2 + 32);
    file.extend_from_slice(MAGIC);
    file.extend_from_slice(&length.to_le_bytes());
    file.extend_from_slice(&coded);
    zstd::stream::copy_encode(body, &mut file, LEVEL)?;
    let sum = Fingerprint::of(&file).get();
    file.extend_from_slice(&sum.to_le_bytes());
    Ok(file)
}

/// The head of a file and its packed body.
pub(super) fn open(file: &[u8]) -> Result<(Head, &[u8]), FrameError> {
    let (content, sum) = file.split_last_chunk::<CHECKSUM>().ok_or(FrameError::Checksum)?;
    if Fingerprint::of(content).get() != u64::from_le_bytes(*sum) {
        return Err(FrameError::Checksum);
    }
    let rest = content.strip_prefix(MAGIC).ok_or(FrameError::Version)?;
    let (length, rest) = rest.split_first_chunk::<4>().ok_or(FrameError::Checksum)?;
    let length = u32::from_le_bytes(*length) as usize;
    let (head, body) = rest.split_at_checked(length).ok_or(FrameError::Checksum)?;
    Ok((codec::decode(head)?, body))
}

/// The answer in a file.
pub(super) fn unpack(file: &[u8]) -> Result<Exchange, FrameError> {
    let (head, packed) = open(file)?;
    let mut body = Vec::new();
    // One byte more than there should be shows a body that is too long, whatever it would unpack to.
    zstd::stream::read::Decoder::new(packed)?.take(head.length.saturating_add(1)).read_to_end(&mut body)?;
    if body.len() as u64 != head.length || Fingerprint::of(&body) != head.digest {
        return Err(FrameError::Checksum);
    }
    Ok(Exchange { request: head.request()?, response: head.response(body)? })
}
