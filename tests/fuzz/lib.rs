//! What must hold for every input, whoever wrote it. The targets of the fuzzer run these functions on inputs that it makes up,
//! and `tests/fuzz_regressions.rs` runs them on all that are kept.

#[path = "properties/mod.rs"]
pub mod properties;
