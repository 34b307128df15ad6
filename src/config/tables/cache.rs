//! `[cache]`: what is kept of pages between rounds.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::check::Check;
use crate::config::path::Path;
use crate::config::units::Size;

/// What is kept of pages beside the crawl's state.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
#[schemars(rename = "Cache")]
pub(in crate::config) struct CacheTable {
    /// Whether every answer that is read is kept in the folder `bodies` of the state directory, to be read again with
    /// `crawl run FILE --offline`. Default false.
    bodies: Option<bool>,
    /// Most bytes of the folder `bodies`; what is beyond is not kept. Default "10GiB".
    max_bodies: Option<Size>,
}

impl CacheTable {
    /// Most bytes of recorded answers; `None` if none are kept.
    pub(in crate::config) fn bodies(&self, check: &mut Check<'_>) -> Option<u64> {
        let most = self.max_bodies.map_or(1, |size| size.0);
        let place = Path::of(&["cache", "max-bodies"]);
        check.must(most > 0, &place, "expected more than 0 bytes: bodies = false keeps none");
        (self.bodies == Some(true)).then_some(most)
    }
}
