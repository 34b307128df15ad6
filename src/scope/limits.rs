//! Shapes of URLs that only a trap has: calendars without end, links that grow by their own path, facets of facets.
//!
//! The figures are those that Heritrix and Scrapy use by default, which real pages hardly reach.

use crate::url::CanonicalUrl;

/// Segments of a path that are looked at without room of their own.
const FEW: usize = 16;
/// A segment that is not there.
const NONE: &[u8] = &[];

/// How long and how repetitive a URL may be. [`usize::MAX`] switches a limit off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UrlLimits {
    /// Most bytes of a URL. 2,083.
    pub bytes: usize,
    /// Most segments of a path. 20.
    pub segments: usize,
    /// How often one segment may stand in a path without another in between. 2.
    pub in_a_row: usize,
    /// How often one segment may stand in a path in all. 4.
    pub in_all: usize,
    /// Most parameters of a query. 12.
    pub parameters: usize,
}

impl Default for UrlLimits {
    fn default() -> Self {
        Self { bytes: 2_083, segments: 20, in_a_row: 2, in_all: 4, parameters: 12 }
    }
}

/// Which limit a URL has passed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlTrap {
    /// Too long.
    #[error("it has {found} bytes, more than {most}")]
    Bytes {
        /// Bytes it has.
        found: usize,
        /// The limit.
        most: usize,
    },
    /// Too many segments in its path.
    #[error("its path has {found} segments, more than {most}")]
    Segments {
        /// Segments it has.
        found: usize,
        /// The limit.
        most: usize,
    },
    /// One segment again and again, with no other in between.
    #[error("`{segment}` stands {found} times in a row in its path, more than {most}")]
    InARow {
        /// The segment.
        segment: String,
        /// The longest run of it.
        found: usize,
        /// The limit.
        most: usize,
    },
    /// One segment again and again.
    #[error("`{segment}` stands {found} times in its path, more than {most}")]
    InAll {
        /// The segment.
        segment: String,
        /// How often it is there.
        found: usize,
        /// The limit.
        most: usize,
    },
    /// Too many parameters in its query.
    #[error("its query has {found} parameters, more than {most}")]
    Parameters {
        /// Parameters it has.
        found: usize,
        /// The limit.
        most: usize,
    },
}

impl UrlLimits {
    /// Whether a URL has a shape that pages have.
    ///
    /// # Errors
    /// The first limit that it passes.
    pub fn judge(&self, url: &CanonicalUrl) -> Result<(), UrlTrap> {
        let (found, most) = (url.as_str().len(), self.bytes);
        if found > most {
            return Err(UrlTrap::Bytes { found, most });
        }
        self.judge_path(url.as_url().path())?;
        let Some(query) = url.as_url().query() else { return Ok(()) };
        let (found, most) = (query.split('&').filter(|one| !one.is_empty()).count(), self.parameters);
        if found > most {
            return Err(UrlTrap::Parameters { found, most });
        }
        Ok(())
    }

    fn judge_path(&self, path: &str) -> Result<(), UrlTrap> {
        // The slash in front and one at the end do not make a segment.
        let inner = path.strip_prefix('/').unwrap_or(path);
        let inner = inner.strip_suffix('/').unwrap_or(inner);
        let (mut few, mut found) = ([NONE; FEW], 0);
        for segment in segments(inner.as_bytes()) {
            few.get_mut(found).into_iter().for_each(|place| *place = segment);
            found += 1;
        }
        if found > self.segments {
            return Err(UrlTrap::Segments { found, most: self.segments });
        }
        match few.get(..found) {
            Some(segments) => self.judge_segments(segments),
            None => self.judge_segments(&segments(inner.as_bytes()).collect::<Vec<_>>()),
        }
    }

    fn judge_segments(&self, segments: &[&[u8]]) -> Result<(), UrlTrap> {
        let (mut row, mut last) = (0, None);
        for (place, &segment) in segments.iter().enumerate() {
            row = if last == Some(segment) { row + 1 } else { 1 };
            last = Some(segment);
            // There are few of them: to count is cheaper than to remember, and where there are no more in all nothing is to be counted.
            let before = || segments[..place].iter().filter(|earlier| **earlier == segment).count();
            let in_all = if segments.len() > self.in_all { before() + 1 } else { row };
            self.judge_repetition(segment, row, in_all)?;
        }
        Ok(())
    }

    fn judge_repetition(&self, segment: &[u8], in_a_row: usize, in_all: usize) -> Result<(), UrlTrap> {
        let segment = || String::from_utf8_lossy(segment).chars().take(40).collect();
        if in_a_row > self.in_a_row {
            return Err(UrlTrap::InARow { segment: segment(), found: in_a_row, most: self.in_a_row });
        }
        if in_all > self.in_all {
            return Err(UrlTrap::InAll { segment: segment(), found: in_all, most: self.in_all });
        }
        Ok(())
    }
}

/// The segments of a path without its slash in front.
fn segments(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut from = 0;
    memchr::memchr_iter(b'/', path).chain(std::iter::once(path.len())).map(move |end| {
        let segment = &path[from..end];
        from = end + 1;
        segment
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(rest: &str) -> Result<(), UrlTrap> {
        let url = CanonicalUrl::parse(&format!("http://a.example/{rest}")).unwrap();
        UrlLimits::default().judge(&url)
    }

    fn numbered(count: usize, between: &str) -> String {
        let pieces: Vec<String> = (0..count).map(|number| format!("p{number}")).collect();
        pieces.join(between)
    }

    #[test]
    fn ordinary_urls_pass() {
        for rest in ["", "a/b/c/", "2011/11/11/x", "?q=1", "a/b/a/b/a/b/a", "x?y&&&&&&&&&&&&&&&&z"] {
            assert_eq!(judge(rest), Ok(()), "{rest}");
        }
    }

    #[test]
    fn one_segment_may_stand_twice_in_a_row_and_not_three_times() {
        assert_eq!(judge("x/a/a/y"), Ok(()));
        let trap = UrlTrap::InARow { segment: "a".to_owned(), found: 3, most: 2 };
        assert_eq!(judge("x/a/a/a/y"), Err(trap));
        assert!(matches!(judge("x////y"), Err(UrlTrap::InARow { .. })));
    }

    #[test]
    fn one_segment_may_stand_four_times_in_all_and_not_five_times() {
        assert_eq!(judge("a/1/a/2/a/3/a/4"), Ok(()));
        assert!(matches!(judge("a/1/a/2/a/3/a/4/a"), Err(UrlTrap::InAll { found: 5, .. })));
    }

    #[test]
    fn twenty_segments_are_a_path_and_twenty_one_a_trap() {
        assert_eq!(judge(&numbered(20, "/")), Ok(()));
        assert_eq!(judge(&format!("{}/", numbered(20, "/"))), Ok(()));
        assert_eq!(judge(&numbered(21, "/")), Err(UrlTrap::Segments { found: 21, most: 20 }));
    }

    #[test]
    fn twelve_parameters_are_a_query_and_thirteen_a_trap() {
        assert_eq!(judge(&format!("?{}", numbered(12, "&"))), Ok(()));
        let trap = UrlTrap::Parameters { found: 13, most: 12 };
        assert_eq!(judge(&format!("?{}", numbered(13, "&"))), Err(trap));
    }

    #[test]
    fn a_url_of_2083_bytes_is_kept_and_one_more_is_a_trap() {
        let head = "http://a.example/".len();
        assert_eq!(judge(&"x".repeat(2_083 - head)), Ok(()));
        let trap = UrlTrap::Bytes { found: 2_084, most: 2_083 };
        assert_eq!(judge(&"x".repeat(2_084 - head)), Err(trap));
    }

    #[test]
    fn limits_can_be_switched_off() {
        let off = UrlLimits {
            bytes: usize::MAX,
            segments: usize::MAX,
            in_a_row: usize::MAX,
            in_all: usize::MAX,
            parameters: usize::MAX,
        };
        let url = CanonicalUrl::parse(&format!("http://a.example{}", "/a".repeat(4_000))).unwrap();
        assert_eq!(off.judge(&url), Ok(()));
    }
}
