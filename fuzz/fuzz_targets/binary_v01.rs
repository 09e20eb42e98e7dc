//! `weir_fuzzing::targets::binary_v01` under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| weir_fuzzing::targets::binary_v01(data));
