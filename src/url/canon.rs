//! Which spellings count as one URL: the switchable steps, and the list of parameters that only track.

use std::sync::Arc;

use encoding_rs::{Encoding, UTF_8};
use serde::{Deserialize, Serialize};
use url::{ParseError, Url};

use super::standard::resolve;
use super::{CanonicalUrl, MAX_URL_BYTES, UrlError, steps};

/// One step of canonicalisation that can be switched.
///
/// Steps are applied in the order of this table, whatever order they were given in, so that the normal form of a normal
/// form is itself. What the URL standard demands is always done and is no step: scheme and host in lower case, the
/// default port dropped, dot segments resolved, IDNA, tabs and line breaks removed. The fragment is always dropped.
///
/// | step | default | effect |
/// |---|---|---|
/// | `userinfo` | on | `http://me:secret@host/` in a link: name and password dropped, unless the page itself was asked with them |
/// | `percent-case` | on | `/%7ea%c3` = `/~a%C3` (RFC 3986 6.2.2) |
/// | `session-ids` | off | `;jsessionid=…`, `?phpsessid=…`, `?sid=…` dropped |
/// | `tracking-parameters` | off | `?utm_source=…`, `?gclid=…` dropped, by a list that can be replaced |
/// | `sort-query` | off | `?b=1&a=2` = `?a=2&b=1` |
/// | `empty-query` | on | `/a?` = `/a` |
/// | `duplicate-slashes` | off | `/a//b` = `/a/b` |
/// | `trailing-slash` | off | `/a/` = `/a` |
/// | `final-dot` | off | `host.` = `host` |
///
/// Steps that are off merge URLs which are different pages on some sites; only the user can know his.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CanonStep {
    /// Name and password of a *link* are dropped, unless they are those of the page at the same origin. On.
    ///
    /// A page must not make the crawler log in somewhere, and one page must not be many by a name in front of its host.
    /// The URL that a user gives as a seed keeps what he wrote, and so do relative links below it.
    Userinfo,
    /// Percent-encoded unreserved characters are decoded and hex digits are upper-case (RFC 3986 6.2.2). On.
    PercentCase,
    /// Session names in path parameters and query are dropped (`;jsessionid=`, `phpsessid=`, `sid=` …). Off.
    SessionIds,
    /// Tracking parameters (`utm_*`, `gclid`, `fbclid` …) are dropped. Off.
    TrackingParameters,
    /// Query parameters are sorted by name, ties in their order. Off.
    SortQuery,
    /// A `?` with nothing behind it is dropped. On.
    EmptyQuery,
    /// Runs of slashes in the path become one. Off.
    DuplicateSlashes,
    /// Slashes at the end of the path are dropped. Off: `/a` and `/a/` are often different pages.
    TrailingSlash,
    /// Dots at the end of the host are dropped. Off: a server may answer the two names differently. The unit of
    /// politeness ([`HostKey`](super::HostKey)) is the same with and without.
    FinalDot,
}

impl CanonStep {
    /// Every step, in the order in which they are applied.
    pub const ALL: [Self; 9] = [
        Self::Userinfo,
        Self::PercentCase,
        Self::SessionIds,
        Self::TrackingParameters,
        Self::SortQuery,
        Self::EmptyQuery,
        Self::DuplicateSlashes,
        Self::TrailingSlash,
        Self::FinalDot,
    ];

    /// Its name in a crawler file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Userinfo => "userinfo",
            Self::PercentCase => "percent-case",
            Self::SessionIds => "session-ids",
            Self::TrackingParameters => "tracking-parameters",
            Self::SortQuery => "sort-query",
            Self::EmptyQuery => "empty-query",
            Self::DuplicateSlashes => "duplicate-slashes",
            Self::TrailingSlash => "trailing-slash",
            Self::FinalDot => "final-dot",
        }
    }

    /// Whether it is applied unless the user says otherwise.
    #[must_use]
    pub const fn is_default(self) -> bool {
        matches!(self, Self::Userinfo | Self::PercentCase | Self::EmptyQuery)
    }

    /// What it does, in one line.
    #[must_use]
    pub const fn doc(self) -> &'static str {
        match self {
            Self::Userinfo => {
                "name and password in a link are dropped, unless the page itself was asked with them"
            }
            Self::PercentCase => "/%7ea%c3 becomes /~a%C3 (RFC 3986 6.2.2)",
            Self::SessionIds => "session names are dropped: ;jsessionid=, ?phpsessid=, ?sid= and the like",
            Self::TrackingParameters => {
                "?utm_source=, ?gclid= and the like are dropped; the list can be replaced"
            }
            Self::SortQuery => "query parameters are sorted by name, equal names keep their order",
            Self::EmptyQuery => "/a? becomes /a",
            Self::DuplicateSlashes => "/a//b becomes /a/b",
            Self::TrailingSlash => "/a/ becomes /a; they are often different pages",
            Self::FinalDot => "a dot at the end of the host is dropped",
        }
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// A change that a URL went through on its way into normal form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanonChange {
    /// The step that made it; none for what the URL standard demands, the fragment included.
    pub step: Option<CanonStep>,
    /// The URL as the change left it.
    pub url: CanonicalUrl,
}

/// The steps that are switched on, and their lists. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canon {
    steps: u16,
    /// Without one: [`Canon::TRACKING`].
    tracking: Option<Arc<[Box<str>]>>,
}

impl Default for Canon {
    fn default() -> Self {
        Self::of(CanonStep::ALL.into_iter().filter(|step| step.is_default()))
    }
}

impl Canon {
    /// The parameters that `tracking-parameters` drops unless the user names others. A `*` at the end stands for any
    /// ending; letter case does not count.
    pub const TRACKING: &'static [&'static str] = &[
        "utm_*",
        "gclid",
        "gclsrc",
        "dclid",
        "gbraid",
        "wbraid",
        "gad_source",
        "fbclid",
        "msclkid",
        "yclid",
        "ysclid",
        "twclid",
        "ttclid",
        "li_fat_id",
        "mc_cid",
        "mc_eid",
        "mkt_tok",
        "igshid",
        "igsh",
        "_ga",
        "_gl",
        "_hsenc",
        "_hsmi",
        "__hs*",
        "hsctatracking",
        "vero_id",
        "oly_enc_id",
        "oly_anon_id",
        "wickedid",
        "pk_*",
        "mtm_*",
        "matomo_*",
        "piwik_*",
        "s_kwcid",
        "ef_id",
        "srsltid",
        "_openstat",
        "rb_clickid",
    ];

    /// Exactly these steps, in whatever order.
    #[must_use]
    pub fn of(steps: impl IntoIterator<Item = CanonStep>) -> Self {
        Self { steps: steps.into_iter().fold(0, |all, step| all | step.bit()), tracking: None }
    }

    /// Drops these parameters instead of [`Canon::TRACKING`], if `tracking-parameters` is on. A `*` at the end of a name
    /// stands for any ending; letter case does not count.
    #[must_use]
    pub fn tracking<T: AsRef<str>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        let names = names.into_iter().map(|name| name.as_ref().to_ascii_lowercase().into());
        self.tracking = Some(names.collect());
        self
    }

    /// Whether a step is on.
    #[must_use]
    pub const fn applies(&self, step: CanonStep) -> bool {
        self.steps & step.bit() != 0
    }

    /// The steps that are on, in the order in which they are applied.
    pub fn steps(&self) -> impl Iterator<Item = CanonStep> + '_ {
        CanonStep::ALL.into_iter().filter(|&step| self.applies(step))
    }

    /// Parses an absolute URL into normal form. Name and password in it are kept: it is the user's own word.
    ///
    /// # Errors
    /// [`UrlError`] if it is not an http or https URL of acceptable length.
    pub fn parse(&self, text: &str) -> Result<CanonicalUrl, UrlError> {
        self.accept(resolve_short(text, None, UTF_8)?)
    }

    /// As [`Canon::parse`], and what changed the URL on the way, in that order.
    ///
    /// # Errors
    /// As [`Canon::parse`].
    pub fn trace(&self, text: &str) -> Result<(CanonicalUrl, Vec<CanonChange>), UrlError> {
        let (mut changes, mut last) = (Vec::new(), text.to_owned());
        let canonical = self.watched(resolve_short(text, None, UTF_8)?, |step, url| {
            if url.as_str() != last {
                last = url.as_str().to_owned();
                changes.push(CanonChange { step, url: CanonicalUrl(url.clone()) });
            }
        })?;
        Ok((canonical, changes))
    }

    /// Resolves `reference` against `base` and brings it into normal form.
    ///
    /// # Errors
    /// As [`Canon::parse`].
    pub fn join(&self, base: &Url, reference: &str) -> Result<CanonicalUrl, UrlError> {
        self.join_with_encoding(base, reference, UTF_8)
    }

    /// Resolves `reference`, which stands on a page in the charset `encoding`, and brings it into normal form. The
    /// charset decides how the query is written (see [`resolve`]).
    ///
    /// # Errors
    /// As [`Canon::parse`].
    pub fn join_with_encoding(
        &self,
        base: &Url,
        reference: &str,
        encoding: &'static Encoding,
    ) -> Result<CanonicalUrl, UrlError> {
        let mut url = resolve_short(reference, Some(base), encoding)?;
        if self.applies(CanonStep::Userinfo) {
            steps::drop_foreign_userinfo(&mut url, base);
        }
        self.accept(url)
    }

    /// Brings a parsed URL into normal form. Name and password in it are kept, as in [`Canon::parse`].
    ///
    /// # Errors
    /// As [`Canon::parse`].
    pub fn accept(&self, url: Url) -> Result<CanonicalUrl, UrlError> {
        self.watched(url, |_, _| {})
    }

    /// As [`Canon::accept`]; `seen` is shown what each step leaves, first what the URL standard leaves.
    fn watched(
        &self,
        mut url: Url,
        mut seen: impl FnMut(Option<CanonStep>, &Url),
    ) -> Result<CanonicalUrl, UrlError> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(UrlError::Scheme { scheme: url.scheme().chars().take(40).collect() });
        }
        url.set_fragment(None);
        check_length(url.as_str())?;
        seen(None, &url);
        if self.keeps(url.as_str()) {
            return Ok(CanonicalUrl(url));
        }
        for step in self.steps() {
            self.apply(step, &mut url);
            seen(Some(step), &url);
        }
        Ok(CanonicalUrl(url))
    }

    /// Whether a URL is in normal form already, as far as that is seen at a glance: nearly all are. Its scheme, its length and its
    /// fragment are no matter of the steps.
    fn keeps(&self, url: &str) -> bool {
        const LOOKS_DEEPER: u16 =
            CanonStep::DuplicateSlashes.bit() | CanonStep::TrailingSlash.bit() | CanonStep::FinalDot.bit();
        self.steps & LOOKS_DEEPER == 0 && memchr::memchr3(b'%', b'?', b';', url.as_bytes()).is_none()
    }

    /// Brings a URL that is in some normal form into this one.
    ///
    /// # Errors
    /// As [`Canon::accept`].
    pub(crate) fn again(&self, url: CanonicalUrl) -> Result<CanonicalUrl, UrlError> {
        if self.keeps(url.as_str()) {
            return Ok(url);
        }
        self.accept(url.0)
    }

    fn apply(&self, step: CanonStep, url: &mut Url) {
        match step {
            // Needs the page that the link stands on: done where that is known.
            CanonStep::Userinfo => {}
            CanonStep::PercentCase => steps::percent_case(url),
            CanonStep::SessionIds => steps::drop_session_ids(url),
            CanonStep::TrackingParameters => steps::drop_parameters(url, |name| self.tracks(name)),
            CanonStep::SortQuery => steps::sort_query(url),
            CanonStep::EmptyQuery => steps::drop_empty_query(url),
            CanonStep::DuplicateSlashes => steps::merge_slashes(url),
            CanonStep::TrailingSlash => steps::drop_trailing_slash(url),
            CanonStep::FinalDot => steps::drop_final_dot(url),
        }
    }

    fn tracks(&self, name: &str) -> bool {
        match &self.tracking {
            Some(list) => list.iter().any(|pattern| steps::name_matches(pattern, name)),
            None => Self::TRACKING.iter().any(|pattern| steps::name_matches(pattern, name)),
        }
    }
}

fn resolve_short(text: &str, base: Option<&Url>, encoding: &'static Encoding) -> Result<Url, UrlError> {
    let text = text.trim_matches(|letter: char| letter <= ' ');
    check_length(text)?;
    resolve(text, base, encoding).map_err(|error| invalid(text, error))
}

fn check_length(text: &str) -> Result<(), UrlError> {
    if text.len() > MAX_URL_BYTES {
        return Err(UrlError::TooLong { length: text.len() });
    }
    Ok(())
}

fn invalid(text: &str, error: ParseError) -> UrlError {
    let printable = without_credentials(text);
    let printable = printable.chars().filter(|letter| !letter.is_control());
    UrlError::Invalid { url: printable.take(200).collect(), reason: error.to_string() }
}

/// What stands before the last `@` of the authority may be a password: it is not for logs.
fn without_credentials(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("//") else {
        return text.to_owned();
    };
    let end = rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}//***{}", &rest[at..]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_change_on_the_way_into_normal_form_is_told_with_its_step() {
        let canon = Canon::of([CanonStep::SortQuery, CanonStep::TrailingSlash]);
        let (url, changes) = canon.trace("http://A.example:80/x/?b=1&a=2#top").unwrap();
        assert_eq!(url.as_str(), "http://a.example/x?a=2&b=1");
        let steps: Vec<_> = changes.iter().map(|change| change.step).collect();
        assert_eq!(steps, [None, Some(CanonStep::SortQuery), Some(CanonStep::TrailingSlash)]);
        assert_eq!(canon.trace(url.as_str()).unwrap().1, []);
    }

    fn with(steps: &[CanonStep], text: &str) -> String {
        let canon = Canon::of(steps.iter().copied());
        canon.parse(text).unwrap().as_str().to_owned()
    }

    fn by_default(text: &str) -> String {
        Canon::default().parse(text).unwrap().as_str().to_owned()
    }

    fn link(base: &str, reference: &str) -> String {
        let base = Url::parse(base).unwrap();
        Canon::default().join(&base, reference).unwrap().as_str().to_owned()
    }

    #[test]
    fn names_are_those_that_serde_reads() {
        for step in CanonStep::ALL {
            assert_eq!(serde_json::to_value(step).unwrap(), step.name());
        }
    }

    #[test]
    fn the_safe_default_keeps_query_order_trailing_slash_and_double_slashes() {
        for text in [
            "http://a.example/a/?b=1&a=2&utm_source=x",
            "http://a.example//a//b/",
            "http://a.example./",
            "http://a.example/x;jsessionid=1?sid=2",
        ] {
            assert_eq!(by_default(text), text);
        }
    }

    #[test]
    fn the_safe_default_folds_case_port_dots_percent_and_empty_query() {
        assert_eq!(by_default("HTTP://A.Example:80/x/./../%7ey%c3%a4?#top"), "http://a.example/~y%C3%A4");
        assert_eq!(by_default("https://a.example:443"), "https://a.example/");
        assert_eq!(by_default("http://a.example:443/"), "http://a.example:443/");
    }

    #[test]
    fn reserved_characters_stay_as_they_were_written() {
        assert_eq!(
            by_default("http://a.example/%2f%2B%25?a=%26&b=%3d"),
            "http://a.example/%2F%2B%25?a=%26&b=%3D"
        );
    }

    #[test]
    fn a_percent_sign_that_encodes_nothing_never_becomes_the_start_of_an_escape() {
        assert_eq!(by_default("http://a.example/%%34%31"), "http://a.example/%%341");
        assert_eq!(by_default("http://a.example/%4%31%"), "http://a.example/%4%31%");
    }

    #[test]
    fn parameters_that_track_are_dropped_whatever_their_case() {
        let step = &[CanonStep::TrackingParameters];
        assert_eq!(
            with(step, "http://a.example/?a=1&UTM_Source=x&gclid=2&b=3&fbclid"),
            "http://a.example/?a=1&b=3"
        );
        assert_eq!(with(step, "http://a.example/?utm_medium=x"), "http://a.example/");
        assert_eq!(with(step, "http://a.example/?utmost=1"), "http://a.example/?utmost=1");
    }

    #[test]
    fn the_list_of_parameters_can_be_replaced() {
        let canon = Canon::of([CanonStep::TrackingParameters]).tracking(["Ref", "x-*"]);
        let url = canon.parse("http://a.example/?ref=1&x-y=2&utm_id=3").unwrap();
        assert_eq!(url.as_str(), "http://a.example/?utm_id=3");
    }

    #[test]
    fn sorting_is_by_name_and_equal_names_keep_their_order() {
        assert_eq!(
            with(&[CanonStep::SortQuery], "http://a.example/?b=1&a=2&b=0&a=1"),
            "http://a.example/?a=2&a=1&b=1&b=0"
        );
    }

    #[test]
    fn a_trailing_slash_is_dropped_but_the_root_stays() {
        let step = &[CanonStep::TrailingSlash];
        assert_eq!(with(step, "http://a.example/a/?q"), "http://a.example/a?q");
        assert_eq!(with(step, "http://a.example/a//"), "http://a.example/a");
        assert_eq!(with(step, "http://a.example/"), "http://a.example/");
        assert_eq!(with(step, "http://a.example//"), "http://a.example/");
    }

    #[test]
    fn runs_of_slashes_become_one() {
        assert_eq!(
            with(&[CanonStep::DuplicateSlashes], "http://a.example//a///b//?u=x//y"),
            "http://a.example/a/b/?u=x//y"
        );
    }

    #[test]
    fn session_names_are_dropped_from_path_and_query() {
        let step = &[CanonStep::SessionIds];
        assert_eq!(
            with(step, "http://a.example/x;JSESSIONID=9A/y;v=1;jsessionid=2?PHPSESSID=3&id=4&sid=5"),
            "http://a.example/x/y;v=1?id=4"
        );
        assert_eq!(with(step, "http://a.example/..;jsessionid=1/a"), "http://a.example/a");
    }

    #[test]
    fn a_final_dot_of_the_host_is_dropped_on_request() {
        let step = &[CanonStep::FinalDot];
        assert_eq!(with(step, "http://a.example./x"), "http://a.example/x");
        assert_eq!(with(step, "http://127.0.0.1../"), "http://127.0.0.1/");
        assert_eq!(with(step, "http://./"), "http://./");
    }

    #[test]
    fn credentials_in_a_link_are_dropped() {
        assert_eq!(link("http://a.example/", "http://me:secret@a.example/x"), "http://a.example/x");
        assert_eq!(link("http://a.example/", "//me@b.example/x"), "http://b.example/x");
        assert_eq!(
            link("http://me:secret@a.example/", "http://you:secret@a.example/x"),
            "http://a.example/x"
        );
        assert_eq!(link("http://me:secret@a.example/", "http://me:secret@b.example/x"), "http://b.example/x");
    }

    #[test]
    fn credentials_that_the_user_gave_go_on_to_relative_links() {
        assert_eq!(link("http://me:secret@a.example/", "/x"), "http://me:secret@a.example/x");
    }

    #[test]
    fn the_order_of_the_steps_is_fixed_whatever_order_the_user_writes() {
        let mut backwards = CanonStep::ALL;
        backwards.reverse();
        assert_eq!(Canon::of(backwards), Canon::of(CanonStep::ALL));
    }

    #[test]
    fn hosts_and_ports_are_those_of_the_url_standard() {
        assert_eq!(by_default("http://bücher.example/"), "http://xn--bcher-kva.example/");
        assert_eq!(by_default("http://[0:0::1]:0/"), "http://[::1]:0/");
        assert_eq!(by_default("http://0x7f.1/"), "http://127.0.0.1/");
        for text in ["http://a.example:65536/", "http://[::1/", "http://a b/", "http://", "/x", ""] {
            assert!(matches!(Canon::default().parse(text), Err(UrlError::Invalid { .. })), "{text}");
        }
    }

    #[test]
    fn a_url_of_8192_bytes_is_accepted_and_one_more_byte_is_refused() {
        let head = "http://a.example/";
        let fits = format!("{head}{}", "x".repeat(MAX_URL_BYTES - head.len()));
        assert!(Canon::default().parse(&format!(" {fits}\n")).is_ok());
        let error = Canon::default().parse(&format!("{fits}x")).unwrap_err();
        assert_eq!(error, UrlError::TooLong { length: MAX_URL_BYTES + 1 });
        let grows = format!("{head}{}", "ä".repeat(4_000));
        assert!(matches!(Canon::default().parse(&grows), Err(UrlError::TooLong { .. })));
    }

    fn any_steps() -> impl Strategy<Value = Canon> {
        any::<u16>()
            .prop_map(|bits| Canon::of(CanonStep::ALL.into_iter().filter(|step| bits & step.bit() != 0)))
    }

    proptest! {
        #[test]
        fn the_normal_form_of_a_normal_form_is_itself(
            canon in any_steps(),
            host in "[a-c]{1,3}(\\.[a-c0-9x]{1,3}){0,2}\\.{0,2}",
            rest in "(/|%|%[2-7][0-9a-fA-F]|;|;jsessionid=|\\.|\\.\\.|//|[a-fA-F0-9]|ä|\\\\|\\?|&|=|utm_x|sid=|#|\\PC){0,24}",
        ) {
            if let Ok(once) = canon.parse(&format!("http://{host}/{rest}")) {
                let twice = canon.parse(once.as_str()).unwrap();
                prop_assert_eq!(once.as_str(), twice.as_str());
                let read_back = Canon::of([]).parse(once.as_str()).unwrap();
                prop_assert_eq!(once.as_str(), read_back.as_str());
            }
        }

        #[test]
        fn nothing_that_a_page_can_write_makes_it_panic(canon in any_steps(), reference in "\\PC{0,60}|[ -~\t\n]{0,60}") {
            let base = Url::parse("http://a.example/b/c?d").unwrap();
            for encoding in [UTF_8, encoding_rs::SHIFT_JIS, encoding_rs::ISO_2022_JP, encoding_rs::WINDOWS_1252] {
                if let Ok(url) = canon.join_with_encoding(&base, &reference, encoding) {
                    prop_assert!(url.as_str().is_ascii());
                    prop_assert!(!url.as_str().contains('#'));
                }
            }
        }
    }
}
