#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| crawl_fuzz::properties::headers::check(bytes));
