use proptest::prelude::*;

use super::*;
use crate::audit::record::{Begin, End, Method, Reply, Ruling, RunEnd, Wait, What};
use crate::time::Timestamp;

fn begin(at: u64, path: &str) -> Record {
    Record::Begin(Begin {
        at: Timestamp::from_millis(at),
        origin: 0,
        what: What::Page,
        method: Method::Get,
        path: path.to_owned(),
        depth: 1,
        rule: Ruling::NoLine,
    })
}

fn end(at: u64, request: u64) -> Record {
    Record::End(End {
        request,
        at: Timestamp::from_millis(at),
        reply: Reply::Whole(200),
        wait: Wait::None,
        location: None,
    })
}

/// A directory with one journal of so many requests, and its path.
fn journal(requests: u64) -> (tempfile::TempDir, PathBuf, Vec<Record>) {
    let dir = tempfile::tempdir().unwrap();
    let journals = Journals::in_dir(dir.path(), 2);
    let mut writer = journals.begin(1).unwrap();
    let mut records = Vec::new();
    for number in 0..requests {
        let start = 1_790_000_000_000 + number * 1_400;
        records.extend([begin(start, "/catalogue/poetry/book-17/"), end(start + 150, number)]);
    }
    for record in &records {
        writer.write(record.clone()).unwrap();
    }
    let path = dir.path().join("0001-0001.log");
    (dir, path, records)
}

fn read(dir: &tempfile::TempDir) -> Vec<Result<Record, JournalFlaw>> {
    let parts = Journals::in_dir(dir.path(), 2).read().unwrap();
    parts.into_iter().flat_map(|part| part.records).collect()
}

#[test]
fn what_is_written_is_read_back() {
    let (dir, _, records) = journal(1_000);
    let read: Vec<_> = read(&dir).into_iter().map(Result::unwrap).collect();
    assert_eq!(read, records);
}

#[test]
fn a_request_takes_less_than_sixty_bytes() {
    let (_dir, path, _) = journal(10_000);
    let bytes = fs::metadata(path).unwrap().len();
    assert!(bytes / 10_000 < 60, "{bytes} for 10,000 requests");
    println!("{} bytes a request", bytes as f64 / 10_000.0);
}

#[test]
fn a_cut_tail_is_told_from_damage_wherever_it_is_cut() {
    let (dir, path, records) = journal(20);
    let whole = fs::read(&path).unwrap();
    for length in (0..whole.len()).rev() {
        fs::write(&path, &whole[..length]).unwrap();
        let read = read(&dir);
        let good = read.iter().filter(|record| record.is_ok()).count();
        assert!(read.iter().flatten().eq(&records[..good]), "cut at {length}");
        let flaw = read.iter().find_map(|record| record.as_ref().err());
        assert!(matches!(flaw, None | Some(JournalFlaw::CutTail)), "cut at {length}: {flaw:?}");
    }
}

#[test]
fn a_flipped_byte_before_the_last_record_is_damage_at_its_record() {
    let (dir, path, records) = journal(20);
    let whole = fs::read(&path).unwrap();
    let last = whole.len() - 17;
    for at in FIRST_LINE.len()..last {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        fs::write(&path, &bytes).unwrap();
        let read = read(&dir);
        let Some(Err(JournalFlaw::Damaged { at: told })) = read.last() else {
            panic!("byte {at} of {}: {:?}", whole.len(), read.last());
        };
        assert!(*told <= at as u64, "{told} {at}");
        assert!(read.iter().flatten().eq(&records[..read.len() - 1]), "byte {at}");
    }
}

#[test]
fn a_journal_of_another_version_is_named_so() {
    let (dir, path, _) = journal(1);
    fs::write(path, b"crawl journal 9\nabc").unwrap();
    assert_eq!(read(&dir), [Err(JournalFlaw::Version)]);
}

#[test]
fn each_run_has_its_file_and_old_rounds_go() {
    let dir = tempfile::tempdir().unwrap();
    let journals = Journals::in_dir(dir.path(), 2);
    for round in [1, 1, 2, 3] {
        journals.begin(round).unwrap();
    }
    fs::write(dir.path().join("notes.txt"), "mine").unwrap();
    journals.begin(3).unwrap();
    let names: Vec<_> = journals.read().unwrap().into_iter().map(|part| part.name).collect();
    assert_eq!(names, ["0002-0001.log", "0003-0001.log", "0003-0002.log"]);
    assert!(dir.path().join("notes.txt").exists());
}

#[test]
fn clones_in_memory_share_their_journals() {
    let journals = Journals::in_memory();
    let mut writer = journals.clone().begin(1).unwrap();
    writer.write(end(7, 0)).unwrap();
    let parts = journals.read().unwrap();
    assert_eq!(parts.into_iter().flat_map(|part| part.records).count(), 1);
}

#[test]
fn a_record_that_is_too_long_is_refused() {
    let mut writer = Journals::in_memory().begin(1).unwrap();
    let long = Record::RunEnd(RunEnd { at: Timestamp::ZERO, why: "x".repeat(MAX_RECORD) });
    assert!(matches!(writer.write(long), Err(JournalError::TooLong)));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error_that_names_the_file() {
    let path = PathBuf::from("/dev/full");
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    let error = JournalWriter::new(Out::File(file), path).unwrap_err();
    assert!(error.to_string().contains("/dev/full"), "{error}");
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut file = FIRST_LINE.to_vec();
        file.extend(bytes);
        let _ = JournalReader::new(io::Cursor::new(file)).count();
    }

    #[test]
    fn any_moments_come_back(moments in prop::collection::vec(any::<u64>(), 1..20)) {
        let mut packer = Packer::new();
        let mut file = FIRST_LINE.to_vec();
        for (number, at) in moments.iter().enumerate() {
            file.extend(packer.pack(end(*at, number as u64)).unwrap());
        }
        let read: Vec<_> = JournalReader::new(io::Cursor::new(file)).map(Result::unwrap).collect();
        let written: Vec<_> = moments.iter().enumerate().map(|(number, at)| end(*at, number as u64)).collect();
        prop_assert_eq!(read, written);
    }
}
