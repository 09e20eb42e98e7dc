//! `weir_fuzzing::targets::matcher` under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| weir_fuzzing::targets::matcher(data));
