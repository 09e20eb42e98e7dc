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

# What hostile clients do to honest ones; `just hostile idle slow` for some of the attacks.
hostile *attacks:
    cargo bench -p weir --bench hostile -- {{attacks}}

# What delivery does; `just delivery http keys` for some of its parts.
delivery *parts:
    cargo bench -p weir --bench delivery -- {{parts}}

# The price of a token, a schema and metrics for single events.
guarded:
    cargo bench -p weir --bench server -- guarded

# The full proof of kill -9; `just crash 1000`, and with CRASH_SEED in the environment the instants of an earlier run.
crash rounds="200":
    CRASH_ROUNDS={{rounds}} cargo test --release -p weir --test it crash -- --nocapture

# Long histories of real processes under kill, stop, freeze and a full disk; with HISTORY_SEED those of an earlier run.
history rounds="200":
    HISTORY_ROUNDS={{rounds}} cargo test --release -p weir --test it history -- --nocapture

# Run the simulation of flow and engine from many seeds; a failing one says how to run it again.
simulate seeds="10000":
    WEIR_SIM_SEEDS={{seeds}} cargo test --release -p weir-testkit --test it simulation::seeds -- --exact --nocapture

# Run the simulation from one seed, and print all that happens.
simulate-seed seed:
    WEIR_SIM_SEED={{seed}} cargo test -p weir-testkit --test it simulation::seeds -- --exact --nocapture

# Feed a reader with changed seeds; `just fuzz all 3600` before a release.
fuzz target seconds="60":
    cargo xtask fuzz {{target}} --seconds {{seconds}}

# Write what is made from the program: docs/settings.md and docs/openapi.
docs:
    UPDATE_DOCS=1 cargo test -p weir reference
    UPDATE_DOCS=1 cargo test -p weir-gateway openapi

# Compare the answers of a server with the OpenAPI documents; needs Python and its package registry.
schemathesis weir="target/release/weir":
    scripts/schemathesis.sh {{weir}}
