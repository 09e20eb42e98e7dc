//! `weir_fuzzing::targets::structured_v01` under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| weir_fuzzing::targets::structured_v01(data));
