# Every command of the project. `just` lists them.

export CARGO_TARGET_DIR := env("CARGO_TARGET_DIR", home_directory() / ".cache/mallard-target")

# List the commands.
default:
    @just --list

# Start the server with embedded defaults; data in ./data.
run *ARGS:
    cargo run --release -- {{ARGS}}

# A server with a month of believable traffic.
demo *ARGS:
    cargo run --release -- demo {{ARGS}}

# All the tests.
test:
    cargo test --release --workspace

# What CI runs.
ci:
    .ci/run

# Formatting and lints.
lint:
    cargo fmt --all --check
    cargo clippy --release --workspace --all-targets -- -D warnings
    cargo deny check bans licenses sources

# The browser tests, against the real binary (needs Chromium and Node).
browser:
    cargo build --release
    cd dashboard && npm ci && MALLARD_BIN="$CARGO_TARGET_DIR/release/mallard-metrics" npm run test:browser

# Benchmarks; prints the ratios that docs/benchmarks.md keeps.
bench *ARGS:
    cargo bench -p mallard-benches {{ARGS}}

# The static binary of the image; prints its path.
static:
    scripts/static

# The static binary alone in an empty root, with 256 MB and no network (needs root): just image --save keeps the figures.
image *ARGS: static
    scripts/image {{ARGS}}

# Random requests against every operation of the API, made from its OpenAPI document (needs Python).
api *ARGS:
    scripts/api {{ARGS}}

# The long runs: more kills and more simulated schedules than CI has time for. (Always the whole workspace: a package alone
# has other features, and DuckDB would be compiled again.)
soak:
    MALLARD_TEST_KILLS=1000 MALLARD_TEST_FULL=1 cargo test --release --workspace --test crash -- --nocapture
    MALLARD_TEST_COPY_KILLS=300 cargo test --release --workspace --test kills -- --nocapture
    MALLARD_TEST_SCHEDULES=200000 MALLARD_TEST_FULL=1 cargo test --release --workspace --test simulation -- --nocapture
    MALLARD_TEST_FULL=1 cargo test --release --workspace --test media -- --nocapture
    MALLARD_TEST_FULL=1 cargo test --release --workspace --test suite media -- --nocapture
    fuzz/run all 60

# The whole-store simulation, for as long as one wishes: just sim 1000000 0 (how many histories, from which seed).
sim SCHEDULES="1000000000" FIRST_SEED="0":
    MALLARD_TEST_SCHEDULES={{SCHEDULES}} MALLARD_TEST_FIRST_SEED={{FIRST_SEED}} \
        cargo test --release --workspace --test simulation random_histories_of_everything -- --nocapture

# Power cuts in an emulated machine (needs qemu-system-x86_64): just powercut --cuts 100; --help explains it.
powercut *ARGS:
    scripts/powercut {{ARGS}}

# One fuzz target, or all, for some seconds each (needs a nightly toolchain): just fuzz recovery 60
fuzz TARGET TIME:
    fuzz/run {{TARGET}} {{TIME}}
