use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use proptest::prelude::*;

use super::part::{content_range, version};
use super::*;

fn fields(list: &[(&'static str, &str)]) -> HeaderMap {
    let field = |(name, value): &(&'static str, &str)| {
        (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
    };
    list.iter().map(field).collect()
}

fn url(text: &str) -> CanonicalUrl {
    CanonicalUrl::parse(text).unwrap()
}

fn open(dir: &Path) -> Arc<Files> {
    Arc::new(Files::open(&dir.join("files"), FileRules::default(), 0).unwrap())
}

/// Takes a body in pieces; the last one may be cut off.
fn take(files: &Arc<Files>, head: (u16, &HeaderMap), pieces: &[&[u8]], end: End) -> Landed {
    let url = url("https://a.example/x.png");
    let mut intake = files.intake(Fingerprint::of(b"x"), &url, None).unwrap();
    let status = StatusCode::from_u16(head.0).unwrap();
    let head = Head { status, headers: head.1, at: Timestamp::from_secs(9) };
    if intake.begin(head, Coding::None).unwrap() == Next::Read {
        for piece in pieces {
            intake.write(piece).unwrap();
        }
    }
    intake.end(end).unwrap()
}

fn whole(landed: Landed) -> Arrived {
    match landed {
        Landed::Whole(arrived) => *arrived,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_has_its_name_once_however_often_it_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let files = open(dir.path());
    let head = fields(&[("content-type", "image/png")]);
    let arrived = whole(take(&files, (200, &head), &[b"a", b"bc"], End::Whole));
    assert_eq!(arrived.saved.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert!(!files.holds(&arrived.saved), "it is named by whoever commits it");
    for _ in 0..2 {
        assert_eq!(files.name(&arrived).unwrap(), arrived.saved.file);
        assert!(files.holds(&arrived.saved));
    }
    files.settled(arrived.request);
    files.sync().unwrap();
    assert_eq!(fs::read_dir(dir.path().join("files/.part")).unwrap().count(), 1, "the lock");
}

#[test]
fn a_file_whose_batch_was_lost_is_asked_for_conditionally() {
    let dir = tempfile::tempdir().unwrap();
    let head = fields(&[("content-type", "image/png"), ("etag", "\"1\"")]);
    for named in [false, true] {
        let files = open(dir.path());
        let arrived = whole(take(&files, (200, &head), &[b"abc"], End::Whole));
        if named {
            files.name(&arrived).unwrap();
        }
        let files = Arc::new({
            drop(files);
            Files::open(&dir.path().join("files"), FileRules::default(), 0).unwrap()
        });
        let intake = files.intake(arrived.request, &arrived.url, None).unwrap();
        assert_eq!(intake.conditions(), [("if-none-match".to_owned(), "\"1\"".to_owned())]);
        let told = Head {
            status: StatusCode::NOT_MODIFIED,
            headers: &HeaderMap::new(),
            at: Timestamp::from_secs(10),
        };
        let again = intake.unchanged(told).unwrap();
        assert_eq!((again.status, &again.saved), (304, &arrived.saved));
        files.name(&again).unwrap();
        assert!(files.holds(&again.saved));
        files.settled(again.request);
    }
}

#[test]
fn a_part_is_gone_on_with_only_for_its_own_url() {
    let dir = tempfile::tempdir().unwrap();
    let files = open(dir.path());
    let head = fields(&[("content-type", "image/png"), ("etag", "\"1\""), ("content-length", "9")]);
    assert!(matches!(take(&files, (200, &head), &[b"abc"], End::Cut), Landed::Cut));
    let request = Fingerprint::of(b"x");
    let own = files.intake(request, &url("https://a.example/x.png"), None).unwrap();
    assert_eq!(own.conditions()[0].1, "bytes=3-");
    drop(own);
    let other = files.intake(request, &url("https://a.example/y.png"), None).unwrap();
    assert!(other.conditions().is_empty());
}

#[test]
fn a_part_that_was_whole_is_asked_for_its_last_byte() {
    let dir = tempfile::tempdir().unwrap();
    let files = open(dir.path());
    let head = fields(&[("content-type", "image/png"), ("etag", "\"1\""), ("content-length", "3")]);
    assert!(matches!(take(&files, (200, &head), &[b"abc"], End::Cut), Landed::Cut));
    let intake = files.intake(Fingerprint::of(b"x"), &url("https://a.example/x.png"), None).unwrap();
    assert_eq!(intake.conditions()[0].1, "bytes=2-");
    drop(intake);
    let rest = fields(&[("content-type", "image/png"), ("content-range", "bytes 2-2/3")]);
    let arrived = whole(take(&files, (206, &rest), &[b"c"], End::Whole));
    assert!(arrived.saved.sha256.starts_with("ba7816bf"));
}

#[test]
fn a_file_whose_folder_is_a_file_lies_apart() {
    let dir = tempfile::tempdir().unwrap();
    let rules = FileRules { naming: Naming::Url, ..FileRules::default() };
    let files = Arc::new(Files::open(&dir.path().join("files"), rules, 0).unwrap());
    let head = fields(&[("content-type", "image/png")]);
    let arrived = whole(take(&files, (200, &head), &[b"abc"], End::Whole));
    fs::create_dir_all(dir.path().join("files/a.example/x.png")).unwrap();
    let name = files.name(&arrived).unwrap();
    assert!(name.starts_with("a.example/~") && name.ends_with(".png"), "{name}");
}

#[test]
fn only_what_tells_versions_apart_to_the_byte_is_asked_with() {
    let now = Timestamp::from_secs(2_000_000_000);
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    let later = "Sun, 06 Nov 1994 08:49:38 GMT";
    for (list, expected) in [
        (&[("etag", "\"1\"")][..], Some("\"1\"")),
        (&[("etag", "W/\"1\""), ("last-modified", date), ("date", later)], None),
        (&[("last-modified", date), ("date", later)], Some(date)),
        (&[("last-modified", date), ("date", date)], None),
        (&[("last-modified", date)], None),
        (&[("etag", "bare")], None),
        (&[], None),
    ] {
        assert_eq!(version(&fields(list), now).as_deref(), expected, "{list:?}");
    }
}

proptest! {
    #[test]
    fn no_content_range_makes_a_wrong_one(text in prop_oneof!["[ -~]{0,40}", "bytes [0-9]{0,21}-[0-9]{0,21}/[0-9*]{0,21}"]) {
        if let Some((first, last, total)) = content_range(&fields(&[("content-range", &text)])) {
            prop_assert!(first <= last && last < total);
        }
    }
}
