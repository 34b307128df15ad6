//! What lies on the disk: the first byte chooses the form, the rest is its content. Checksums are made here where a form has them,
//! so that what lies behind them is reached. Bytes that read back are written as they were; damage is told and is no panic.

use crawl::audit::record::Record;
use crawl::cookies::Cookie;
use crawl::history::PageRecord;
use crawl::politeness::HostState;
use crawl::request::{Pending, QueueKey};
use crawl::robots::RobotsRecord;
use crawl::stage::tally::ItemTally;
use crawl::store::codec::{decode, decode_pending, encode, encode_pending};
use crawl::store::journal::{JournalFlaw, JournalReader};
use crawl::store::{FailedRecord, LoginRecord, RunRecord};
use crawl::testing::inside::seen_log;
use serde::Serialize;
use serde::de::DeserializeOwned;
use xxhash_rust::xxh3::xxh3_64_with_seed;

pub fn check(bytes: &[u8]) {
    let [form, content @ ..] = bytes else { return };
    match form % 16 {
        0 => queue_entry(content),
        1 => record::<RunRecord>(content),
        2 => record::<HostState>(content),
        3 => record::<FailedRecord>(content),
        4 => record::<RobotsRecord>(content),
        5 => record::<Cookie>(content),
        6 => record::<PageRecord>(content),
        7 => record::<ItemTally>(content),
        8 => record::<LoginRecord>(content),
        9 => journal(content),
        10 => journal(&framed(content)),
        11 => seen(content),
        12 => seen_written(content),
        13 => kept::check(content),
        _ => sum::check(content),
    }
}

/// What reads back is written in one way, and that is read as the same.
fn record<T: Serialize + DeserializeOwned>(content: &[u8]) {
    let versioned = [&[4], content].concat();
    for bytes in [content, &versioned] {
        let Ok(value) = decode::<T>(bytes) else { continue };
        let written = encode(&value).expect("what was read is written");
        let again = decode::<T>(&written).expect("what was written is read");
        assert_eq!(encode(&again).expect("what was read is written"), written);
    }
}

fn queue_entry(content: &[u8]) {
    const ORIGIN: &str = "http://a.example";
    let key = QueueKey { band: 3, seq: 7 };
    let versioned = [&[4], content].concat();
    for bytes in [content, &versioned] {
        let Ok(read) = decode_pending(key, bytes, ORIGIN) else { continue };
        let again = |pending: &Pending| {
            let origin = pending.request.origin();
            let written = encode_pending(pending, origin.as_str()).expect("what was read is written");
            decode_pending(key, &written, origin.as_str()).expect("what was written is read")
        };
        assert_eq!(again(&read), read);
    }
}

const FIRST_LINE: &[u8] = b"crawl journal 1\n";

/// Frames with right checks around pieces of the content: a byte for the length, and so many bytes.
fn framed(mut content: &[u8]) -> Vec<u8> {
    let mut file = FIRST_LINE.to_vec();
    while let [length, rest @ ..] = content {
        let (record, rest) = rest.split_at(usize::from(*length & 0x7f).min(rest.len()));
        content = rest;
        if !record.is_empty() {
            let check = xxh3_64_with_seed(record, file.len() as u64) as u32;
            file.push(record.len() as u8);
            file.extend(check.to_le_bytes());
            file.extend(record);
        }
    }
    file
}

/// A journal that is cut gives what stands before the cut, and no more.
fn journal(file: &[u8]) {
    let read = |file: &[u8]| -> Vec<Result<Record, JournalFlaw>> {
        JournalReader::new(std::io::Cursor::new(file.to_vec())).collect()
    };
    let whole = read(file);
    assert!(whole.iter().rev().skip(1).all(Result::is_ok), "a reader ends after a flaw");
    assert!(whole.len() <= file.len() + 1);
    for cut in [file.len() / 2, file.len().saturating_sub(1)] {
        let part = read(&file[..cut]);
        let good = part.iter().filter(|record| record.is_ok()).count();
        assert!(part[..good].iter().eq(&whole[..good]), "cut at {cut}");
    }
}

/// A log says nothing that was not written: what reads back has a check that is right.
fn seen(log: &[u8]) {
    let (found, unreadable) = seen_log(log);
    assert!(found.len() * 8 + unreadable as usize <= log.len());
}

/// The content as fingerprints in records with checks, one of them damaged: all others are found.
fn seen_written(content: &[u8]) {
    let Some((damage, content)) = content.split_first() else { return };
    let records: Vec<Vec<u64>> = content
        .chunks(24)
        .map(|part| {
            part.chunks_exact(8)
                .map(|bytes| u64::from_le_bytes(bytes.try_into().expect("eight bytes")))
                .collect()
        })
        .filter(|record: &Vec<u64>| !record.is_empty())
        .collect();
    let mut log = Vec::new();
    for record in &records {
        let place = log.len() as u64;
        let content: Vec<u8> = record.iter().flat_map(|number| number.to_le_bytes()).collect();
        let check = xxh3_64_with_seed(&content, place ^ ((record.len() as u64) << 32)) as u32;
        log.extend((record.len() as u32).to_le_bytes());
        log.extend(check.to_le_bytes());
        log.extend(content);
    }
    let all: Vec<u64> = records.concat();
    assert_eq!(seen_log(&log), (all.clone(), 0));
    if let Some(byte) = log.get_mut(usize::from(*damage)) {
        *byte ^= 0x10;
        let (found, unreadable) = seen_log(&log);
        assert!(unreadable > 0 && all.len() - found.len() <= 3, "{} of {} are left", found.len(), all.len());
        assert!(found.iter().all(|number| all.contains(number)), "nothing is made up");
    }
}

/// A harvest that a page gave, packed beside its validators.
mod kept {
    use crawl::request::Request;
    use crawl::store::cache::Packed;

    use crate::properties::input::html;

    /// The content as a page: its links, packed and unpacked.
    pub fn check(content: &[u8]) {
        let page = html(content);
        let links: Vec<Request> = page.links().links.into_iter().map(|link| page_request(link.url)).collect();
        let packed = Packed::of(&links, &[]).expect("requests can be written");
        let (unpacked, items) = packed.unpack().expect("what was packed is unpacked");
        assert_eq!((unpacked, items.len()), (links, 0));
    }

    fn page_request(url: crawl::url::CanonicalUrl) -> Request {
        let mut request = Request::get(url);
        request.depth = request.url.as_str().len() as u32 % 3;
        request
    }
}

/// Files of recorded answers: a head, a packed body, and a sum over both.
mod sum {
    use std::cell::RefCell;
    use std::fs;
    use std::path::PathBuf;

    use crawl::request::Request;
    use crawl::response::Response;
    use crawl::store::bodies::Bodies;
    use http::StatusCode;
    use xxhash_rust::xxh3::xxh3_64;

    use crate::properties::input::url;

    struct Folder {
        _dir: tempfile::TempDir,
        bodies: Bodies,
        request: Request,
        file: PathBuf,
    }

    thread_local! {
        static FOLDER: RefCell<Folder> = RefCell::new(Folder::new());
    }

    impl Folder {
        fn new() -> Self {
            let dir = tempfile::tempdir().expect("a folder");
            let bodies = Bodies::open(dir.path(), 1 << 30).expect("a folder that can be written");
            let request = Request::get(url("http://a.example/x"));
            bodies.put(&request, &answer(&request, b"<p>one")).expect("room");
            let file = file_in(dir.path().to_owned()).expect("an answer was written");
            Self { _dir: dir, bodies, request, file }
        }
    }

    fn answer(request: &Request, body: &[u8]) -> Response {
        Response::of(request.url.clone(), StatusCode::OK, body.to_vec())
    }

    fn file_in(folder: PathBuf) -> Option<PathBuf> {
        let entries = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
        entries.into_iter().find_map(|path| if path.is_dir() { file_in(path) } else { Some(path) })
    }

    pub fn check(content: &[u8]) {
        FOLDER.with_borrow(|folder| {
            made_up(folder, content);
            // Damaged by what was just read, it is written anew.
            fs::write(&folder.file, content).expect("room");
            let response = answer(&folder.request, content);
            folder.bodies.put(&folder.request, &response).expect("room");
            let read = folder.bodies.get(folder.request.fingerprint()).expect("whole").expect("written");
            assert_eq!((read.response.body, read.request.url), (response.body, folder.request.url.clone()));
        });
    }

    /// A file with a right sum around the content: what lies behind the sum is no better than what others wrote.
    fn made_up(folder: &Folder, content: &[u8]) {
        let mut file = b"CRB1".to_vec();
        file.extend(content);
        file.extend(xxh3_64(&file).to_le_bytes());
        fs::write(&folder.file, &file).expect("room");
        if let Ok(Some(read)) = folder.bodies.get(folder.request.fingerprint()) {
            assert!(read.response.body.len() < 1 << 30);
        }
    }
}
