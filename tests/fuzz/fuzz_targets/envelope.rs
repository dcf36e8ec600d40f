#![no_main]

libfuzzer_sys::fuzz_target!(|source: &[u8]| seal_fuzz::envelope(source));
