//! `weir_fuzzing::targets::filters` under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| weir_fuzzing::targets::filters(data));
