//! `weir_fuzzing::targets::path_tree` under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| weir_fuzzing::targets::path_tree(data));
