# Short names for the commands of CONTRIBUTING.md; `just` itself is optional.

# List the recipes.
default:
    @just --list

# Everything that CI checks.
verify:
    cargo xtask verify

# All tests.
test:
    cargo test --workspace

# Format all sources.
fmt:
    cargo fmt --all

# All benchmarks, with the release profile.
bench:
    cargo bench --workspace --bench '*'
