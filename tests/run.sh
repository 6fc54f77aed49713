#!/bin/sh
# Runs all tests, after installing what they need (tests/setup.sh): formatting, lints, the stencils rebuilt and
# compared with the committed object, the tests of this machine, and those on real kernels in virtual machines.
# Every step is run; the last line says whether all went well, and so does the exit code. Reads no input.
#
#   tests/run.sh             everything
#   tests/run.sh --no-setup  the same, with what is installed
set -u
cd "$(dirname "$0")/.."
export CARGO_TERM_COLOR="${CARGO_TERM_COLOR:-never}"

case ${1:-} in
  "") sh tests/setup.sh </dev/null || { echo "FAILED: tests/setup.sh"; exit 1; } ;;
  --no-setup) ;;
  *) sed -n 2,8p "$0" >&2; exit 2 ;;
esac

failed=
# step NAME COMMAND...
step() {
  name=$1
  shift
  began=$(date +%s)
  echo "== $name"
  if "$@" </dev/null; then result=ok; else result=FAILED; failed="$failed, $name"; fi
  echo "== $name: $result ($(($(date +%s) - began)) s)"
}

# The committed object must be what the committed sources give with the committed compiler.
same_stencils() {
  rebuilt=$(mktemp) || return 1
  sh bpf-templates/build.sh "$rebuilt" && cmp "$rebuilt" bpf-templates/stencils.bpf.o
  same=$?
  rm -f "$rebuilt"
  return $same
}

licences() {
  if cargo deny --version >/dev/null 2>&1; then
    cargo deny --offline check bans licenses sources
  else
    echo "cargo-deny is not installed (it takes long to build): licences are not checked in this run"
  fi
}

step "formatting" cargo fmt --all --check
step "lints" cargo clippy --workspace --all-targets --quiet -- -D warnings
step "fuzz targets" cargo check --quiet --manifest-path tests/fuzz/Cargo.toml
step "licences" licences
step "stencils" same_stencils
step "tests of this machine" cargo test --quiet --workspace --lib --bins --examples --test cases --test suite
step "documentation" cargo test --quiet --workspace --doc
step "tests on real kernels" cargo test --quiet --test kernel

if [ -z "$failed" ]; then
  echo "all tests passed"
else
  echo "FAILED: ${failed#, }"
  exit 1
fi
