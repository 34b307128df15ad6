//! What a page gave, packed small.
//!
//! Links of a page are much alike. Of each only that is written in which it differs from the one before: the end of its URL, and
//! what stands behind the URL if anything there is new. That takes a fifth of the room, and so of the work of the database.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::request::Request;
use crate::store::codec;
use crate::store::sled_cache::log::FrameName;
use crate::url::Fingerprint;

/// An item of a page: its kind, and its fields as JSON text.
pub type KeptItem = (Option<String>, String);

/// More links than this are not read back: no page has them.
const MOST_LINKS: usize = 1 << 20;
/// The shortest of URLs, in normal form.
const SHORT: &str = "http://a/";

/// Links and items of a page, packed: a page that has changed is looked up for its validators alone, and a page that has not
/// is kept as it was.
#[derive(Debug, Clone, Default)]
pub struct Packed {
    bytes: Bytes,
    /// Where they are kept already, so that they need not be written again. No part of what they say.
    kept: Option<Kept>,
}

/// Where a cache has a harvest.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Kept {
    /// Which log it is, since it was last emptied.
    pub(in crate::store) log: u64,
    /// Whose harvest it is.
    pub(in crate::store) key: u64,
    /// The frame that ends with it.
    pub(in crate::store) frame: FrameName,
}

impl PartialEq for Packed {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Packed {}

/// A link as it differs from the one before.
#[derive(Serialize, Deserialize)]
struct Step<'a> {
    /// Bytes at the beginning of the URL that are the same.
    shared: u32,
    url: &'a str,
    /// Everything behind the URL; empty if it is the same.
    rest: &'a [u8],
}

impl Packed {
    /// Packs the links, to be walked again on a 304, and the items, to be emitted again. None if they cannot be written.
    #[must_use]
    pub fn of(links: &[Request], items: &[KeptItem]) -> Option<Self> {
        let bytes = pack(links).and_then(|links| codec::encode(&(links, items)));
        bytes
            .map(|bytes| Self { bytes: bytes.into(), kept: None })
            .inspect_err(|error| tracing::warn!(%error, "a page cannot be kept"))
            .ok()
    }

    /// Links and items, or nothing if they do not read back.
    #[must_use]
    pub fn unpack(&self) -> Option<(Vec<Request>, Vec<KeptItem>)> {
        self.unpack_without(&|_| false)
    }

    /// The same without links to pages that are `known` by their fingerprints, as far as that is told without reading them: nearly all
    /// links of a page are. Links that enter more than once are not left out.
    #[must_use]
    pub fn unpack_without(
        &self,
        known: &dyn Fn(Fingerprint) -> bool,
    ) -> Option<(Vec<Request>, Vec<KeptItem>)> {
        let (links, items): (Bytes, _) = codec::decode(&self.bytes).ok()?;
        Some((unpack(&links, known)?, items))
    }

    /// How large it is.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing was ever packed into it; a page that gave nothing is not empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The earlier one if it says the same: a cache that has it need not write it again.
    #[must_use]
    pub fn or_as_before(self, before: Option<&Self>) -> Self {
        before.filter(|before| **before == self).cloned().unwrap_or(self)
    }

    /// The harvest of these bytes, which a cache has.
    pub(in crate::store) const fn kept(bytes: Bytes, kept: Kept) -> Self {
        Self { bytes, kept: Some(kept) }
    }

    /// The harvest of these bytes, which is to be written.
    pub(in crate::store) const fn unkept(bytes: Bytes) -> Self {
        Self { bytes, kept: None }
    }

    pub(in crate::store) const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    pub(in crate::store) const fn place(&self) -> Option<Kept> {
        self.kept
    }
}

fn pack(links: &[Request]) -> Result<Bytes, codec::CodecError> {
    let (mut url_before, mut rest_before) = ("", Vec::new());
    let mut before: Option<&Request> = None;
    let mut out = Vec::with_capacity(16 * links.len());
    for link in links {
        let url = link.url.as_str();
        let shared = same(url_before, url);
        let is_alike = before.replace(link).is_some_and(|before| before.differs_by_url_alone(link));
        let news = if is_alike { Vec::new() } else { rest_of(link, &rest_before)? };
        let step =
            Step { shared: u32::try_from(shared).unwrap_or_default(), url: &url[shared..], rest: &news };
        out = postcard::to_extend(&step, out)?;
        if !news.is_empty() {
            rest_before = news;
        }
        url_before = url;
    }
    Ok(out.into())
}

/// What stands behind the URL of a link; nothing if it is the same as before.
fn rest_of(link: &Request, before: &[u8]) -> Result<Vec<u8>, codec::CodecError> {
    let mut bytes = postcard::to_stdvec(link)?;
    let url = postcard::to_stdvec(&link.url)?.len();
    bytes.drain(..url);
    if bytes == before {
        bytes.clear();
    }
    Ok(bytes)
}

fn unpack(mut bytes: &[u8], known: &dyn Fn(Fingerprint) -> bool) -> Option<Vec<Request>> {
    let (mut url, mut rest): (String, &[u8]) = (String::new(), &[]);
    // Whether the fingerprint of a link with the same rest is that of its URL.
    let mut is_plain = false;
    let (mut links, mut count) = (Vec::new(), 0);
    while !bytes.is_empty() {
        if count == MOST_LINKS {
            return None;
        }
        count += 1;
        let (step, behind) = postcard::take_from_bytes::<Step<'_>>(bytes).ok()?;
        url.get(..step.shared as usize)?;
        url.truncate(step.shared as usize);
        url.push_str(step.url);
        if !step.rest.is_empty() {
            rest = step.rest;
            is_plain = is_of_its_url(rest)?;
        }
        bytes = behind;
        if is_plain && known(Fingerprint::of(url.as_bytes())) {
            continue;
        }
        links.push(with_url(&url, rest)?);
    }
    Some(links)
}

/// The link of a URL and what stands behind it.
fn with_url(url: &str, rest: &[u8]) -> Option<Request> {
    let mut whole = postcard::to_extend(url, Vec::with_capacity(url.len() + rest.len() + 4)).ok()?;
    whole.extend_from_slice(rest);
    postcard::from_bytes(&whole).ok()
}

/// Whether a link with this rest enters once, by the fingerprint of its URL alone. Told with another URL: to read one takes longer than
/// everything else here.
fn is_of_its_url(rest: &[u8]) -> Option<bool> {
    let link = with_url(SHORT, rest)?;
    Some(link.enters_once() && link.fingerprint() == Fingerprint::of(SHORT.as_bytes()))
}

/// Bytes at the beginning that are the same in both, up to the beginning of a letter.
fn same(a: &str, b: &str) -> usize {
    let same = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    (0..=same).rev().find(|at| b.is_char_boundary(*at)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::url::CanonicalUrl;

    fn get(url: &str) -> Request {
        Request::get(CanonicalUrl::parse(url).unwrap())
    }

    #[test]
    fn links_and_items_come_back_in_their_order() {
        let links = [
            get("http://a.example/1").label("book").priority(3),
            get("http://a.example/2").label("book").priority(3),
            Request::post(CanonicalUrl::parse("https://b.example/").unwrap(), "q=1").header("a", "b"),
            get("http://a.example/1"),
            get("http://a.example/"),
            get("http://a.example/"),
        ];
        let items = [(None, "{}".to_owned()), (Some("book".to_owned()), r#"{"a":1}"#.to_owned())];
        let packed = Packed::of(&links, &items).unwrap();
        assert_eq!(packed.unpack(), Some((links.to_vec(), items.to_vec())));
        let nothing = Packed::of(&[], &[]).unwrap();
        assert_eq!(nothing.unpack(), Some((Vec::new(), Vec::new())));
        assert!(!nothing.is_empty() && Packed::default().unpack().is_none());
    }

    #[test]
    fn links_to_known_pages_are_left_out_unless_they_enter_again() {
        let links = [get("http://a.example/1"), get("http://a.example/2"), get("http://a.example/3")];
        let again = [get("http://a.example/4").always(), get("http://a.example/5").always()];
        let packed = Packed::of(&[links.as_slice(), &again].concat(), &[]).unwrap();
        let (second, fifth) = (links[1].fingerprint(), again[1].fingerprint());
        let known = |page: Fingerprint| page == second || page == fifth;
        let left = [links[0].clone(), links[2].clone(), again[0].clone(), again[1].clone()];
        assert_eq!(packed.unpack_without(&known).unwrap().0, left);
    }

    #[test]
    fn a_link_like_the_one_before_costs_what_is_new_in_it() {
        let links: Vec<_> =
            (0..100).map(|n| get(&format!("https://shop.example/catalogue/item-{n:03}"))).collect();
        let bytes = Packed::of(&links, &[]).unwrap().len();
        assert!(bytes < 600, "{bytes} bytes for 100 links");
    }

    proptest! {
        #[test]
        fn every_list_of_links_comes_back(paths in prop::collection::vec("[a-z/%?=0-9]{0,20}", 0..20), labels in prop::collection::vec(prop::option::of("\\PC{0,5}"), 20)) {
            let link = |(path, label): (&String, &Option<String>)| {
                let link = get(&format!("http://a.example/{path}"));
                match label { Some(label) => link.label(label.as_str()), None => link }
            };
            let links: Vec<_> = paths.iter().zip(&labels).map(link).collect();
            let packed = Packed::of(&links, &[]).unwrap();
            prop_assert_eq!(packed.unpack().unwrap().0, links);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = unpack(&bytes, &|_| true);
            let _ = Packed::unkept(bytes.into()).unpack();
        }
    }
}
