use http::{HeaderValue, StatusCode};

use super::*;
use crate::response::Truncation;
use crate::time::Timestamp;
use crate::url::CanonicalUrl;

const ROOM: u64 = 1 << 30;

fn url(text: &str) -> CanonicalUrl {
    CanonicalUrl::parse(text).unwrap()
}

fn page(body: &str) -> (Request, Response) {
    let request = Request::get(url("http://a.example/x")).label("book").with_data(&7).unwrap();
    let mut response = Response::of(request.url.clone(), StatusCode::OK, body.to_owned());
    for (name, value) in [("content-type", "text/html"), ("etag", "\"1\""), ("set-cookie", "secret=1")] {
        response.headers.insert(name, HeaderValue::from_static(value));
    }
    response.ended = Timestamp::from_secs(9);
    (request, response)
}

fn only_file(bodies: &Bodies) -> PathBuf {
    let paths = bodies.paths().unwrap();
    assert_eq!(paths.len(), 1);
    paths[0].clone()
}

#[test]
fn an_answer_comes_back_with_its_label_and_data_and_without_cookies() {
    let dir = tempfile::tempdir().unwrap();
    let bodies = Bodies::open(dir.path(), ROOM).unwrap();
    let (request, response) = page("<h1>Hello</h1>");
    assert_eq!(bodies.put(&request, &response).unwrap(), Kept::Written);
    let back = Bodies::read_only(dir.path()).unwrap().get(request.fingerprint()).unwrap().unwrap();
    assert_eq!(back.request, request);
    assert_eq!((back.response.status, back.response.body), (response.status, response.body));
    assert_eq!(back.response.ended, Timestamp::from_secs(9));
    assert_eq!(back.response.headers.get("content-type").unwrap(), "text/html");
    assert_eq!(back.response.headers.get("set-cookie"), None);
    assert_eq!(bodies.keys().unwrap(), [request.fingerprint()]);
    let file = fs::read(only_file(&bodies)).unwrap();
    assert!(!file.windows(6).any(|part| part == b"secret"));
}

#[test]
fn method_and_body_are_part_of_what_was_asked() {
    let dir = tempfile::tempdir().unwrap();
    let bodies = Bodies::open(dir.path(), ROOM).unwrap();
    let requests = [
        Request::get(url("http://a.example/")),
        Request::post(url("http://a.example/"), "q=1"),
        Request::post(url("http://a.example/"), "q=2"),
    ];
    for (number, request) in requests.iter().enumerate() {
        let response = Response::of(request.url.clone(), StatusCode::OK, number.to_string());
        bodies.put(request, &response).unwrap();
    }
    for (number, request) in requests.iter().enumerate() {
        let back = bodies.get(request.fingerprint()).unwrap().unwrap();
        assert_eq!(
            (back.response.body, back.request.method),
            (number.to_string().into(), request.method.clone())
        );
    }
}

#[test]
fn an_answer_that_is_as_it_was_is_not_written_again() {
    let dir = tempfile::tempdir().unwrap();
    let bodies = Bodies::open(dir.path(), ROOM).unwrap();
    let (request, mut response) = page("same");
    bodies.put(&request, &response).unwrap();
    let before = fs::read(only_file(&bodies)).unwrap();
    response.ended = Timestamp::from_secs(10);
    response.headers.insert("etag", HeaderValue::from_static("\"2\""));
    assert_eq!(bodies.put(&request, &response).unwrap(), Kept::Same);
    assert_eq!(fs::read(only_file(&bodies)).unwrap(), before);

    response.body = "other".into();
    assert_eq!(bodies.put(&request, &response).unwrap(), Kept::Written);
    assert_eq!(bodies.used(), BLOCK);
    response.headers.insert("content-type", HeaderValue::from_static("text/plain"));
    assert_eq!(bodies.put(&request, &response).unwrap(), Kept::Written);
}

#[test]
fn what_was_cut_does_not_take_the_place_of_more() {
    let dir = tempfile::tempdir().unwrap();
    let bodies = Bodies::open(dir.path(), ROOM).unwrap();
    let (request, response) = page("the whole page");
    bodies.put(&request, &response).unwrap();
    let (_, mut cut) = page("the who");
    cut.truncated = Some(Truncation::Length);
    assert_eq!(bodies.put(&request, &cut).unwrap(), Kept::Shorter);
    assert_eq!(bodies.get(request.fingerprint()).unwrap().unwrap().response.body, "the whole page");
}

#[test]
fn damage_anywhere_is_seen_and_mended_by_the_next_answer() {
    let dir = tempfile::tempdir().unwrap();
    let bodies = Bodies::open(dir.path(), ROOM).unwrap();
    let (request, response) = page(&"long ".repeat(200));
    bodies.put(&request, &response).unwrap();
    let path = only_file(&bodies);
    let whole = fs::read(&path).unwrap();
    let cuts = (0..whole.len()).map(|length| whole[..length].to_vec());
    let flips = (0..whole.len()).map(|place| {
        let mut file = whole.clone();
        file[place] ^= 0x10;
        file
    });
    for file in cuts.chain(flips) {
        fs::write(&path, &file).unwrap();
        let result = bodies.get(request.fingerprint());
        assert!(matches!(result, Err(StoreError::Damaged { .. })), "{result:?}");
        assert!(!bodies.holds(request.fingerprint()));
    }
    assert_eq!(bodies.put(&request, &response).unwrap(), Kept::Written);
    assert!(bodies.holds(request.fingerprint()));
}

#[test]
fn nothing_is_kept_beyond_the_limit_and_what_is_there_stays() {
    let dir = tempfile::tempdir().unwrap();
    let (request, response) = page("first");
    Bodies::open(dir.path(), ROOM).unwrap().put(&request, &response).unwrap();
    let used = Bodies::open(dir.path(), ROOM).unwrap().used();

    let bodies = Bodies::open(dir.path(), used + 1).unwrap();
    let other = Request::get(url("http://a.example/other"));
    assert!(!bodies.is_full());
    assert_eq!(bodies.put(&other, &response).unwrap(), Kept::Full);
    assert!(bodies.is_full());
    assert_eq!(bodies.used(), used);
    assert!(bodies.holds(request.fingerprint()));
}

#[test]
fn what_a_killed_run_left_unfinished_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let bodies = Bodies::open(dir.path(), ROOM).unwrap();
    let left = dir.path().join(UNFINISHED).join("0");
    fs::write(&left, "half").unwrap();
    drop(bodies);
    let bodies = Bodies::open(dir.path(), ROOM).unwrap();
    assert!(!left.exists());
    assert_eq!((bodies.used(), bodies.keys().unwrap().len()), (0, 0));
}
