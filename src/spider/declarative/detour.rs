//! Pages that stand for another one: those that send a browser on (`<meta http-equiv=refresh>`), and copies that name their
//! original (`<link rel=canonical>`).
//!
//! Such a page gives nothing itself. What is asked for in its place has its label, its data and its depth and enters by the front door
//! as every redirect does: scope, robots.txt and pace are judged anew, credentials stay within their origin, and after
//! [`MAX_HOPS`] of them in a row nothing more is followed.

use super::luggage::Luggage;
use super::{Nofollow, Originals, Recipe};
use crate::page::Page;
use crate::redirect::{self, MAX_HOPS, RedirectStop};
use crate::request::Request;
use crate::url::{Canon, CanonicalUrl};

/// A refresh after more seconds than this is for readers of the page: its target is a link like others.
const REDIRECT_WITHIN: u64 = 5;

/// As a redirect that is to be read, not sent again (RFC 9110 15.4.4).
const SEE_OTHER: u16 = 303;

/// What is asked for in place of `page`, or why nothing is.
pub(super) fn detour(
    recipe: &Recipe,
    page: &Page,
    luggage: &Luggage,
) -> Option<Result<Request, RedirectStop>> {
    if !page.is_html() {
        return None;
    }
    if let Some(target) = sent_on(recipe, page) {
        return Some(to(page.request(), &target));
    }
    if recipe.originals == Originals::Ignore || luggage.is_original {
        return None;
    }
    let original = page.canonical().filter(|original| original.host() == page.url().host())?;
    match to(page.request(), &original) {
        Ok(request) => {
            let request = Luggage { is_original: true, ..luggage.clone() }.put(request);
            Some(Ok(request))
        }
        // It names itself, or there were too many redirects to find out more: it is read as it is.
        Err(_) => None,
    }
}

fn to(request: &Request, target: &CanonicalUrl) -> Result<Request, RedirectStop> {
    redirect::follow(request, SEE_OTHER, Some(target.as_str()), &Canon::of([]), MAX_HOPS)
}

/// Where the page sends a browser at once, if that is another page.
fn sent_on(recipe: &Recipe, page: &Page) -> Option<CanonicalUrl> {
    let (refresh, target) = page.meta_refresh()?;
    if refresh.seconds > REDIRECT_WITHIN || is_silent(recipe, page) {
        return None;
    }
    target.filter(|target| target != page.url())
}

/// Where a page sends a browser after a while: a link.
pub(super) fn later(page: &Page) -> Option<CanonicalUrl> {
    let (_, target) = page.meta_refresh()?;
    target.filter(|target| target != page.url())
}

/// Whether the page asks that none of its links be followed, and is heard.
pub(super) fn is_silent(recipe: &Recipe, page: &Page) -> bool {
    recipe.nofollow == Nofollow::Honour && page.directives(&recipe.agent).nofollow
}
