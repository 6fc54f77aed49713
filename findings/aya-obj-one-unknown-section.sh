#!/bin/sh
# aya-obj 0.3.0: an object with one program in a section whose name it does not know.
#
# Guess: the other programs can be read; libbpf, too, opens such an object and leaves the program without a type.
# Seen:  parsing fails as a whole, so no program of the object can be loaded with aya. `tc` and `socket_filter` (names
#        that libbpf takes; aya wants `classifier` and `socket`) do it, and `fmod_ret/...`, which aya has no type for.
# Who meets it: whoever ships one object for several loaders. Programs of such kinds want an object of their own.
#
# Needs: cargo with crates.io, clang-14 and bpftool (Debian 12). Installs nothing outside a temporary folder.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "try"
version = "0.0.0"
edition = "2021"
[dependencies]
aya-obj = "=0.3.0"
TOML
cat >src/main.rs <<'RS'
fn main() {
    for name in std::env::args().skip(1) {
        match aya_obj::Object::parse(&std::fs::read(format!("{name}.o")).unwrap()) {
            Ok(object) => println!("aya-obj {name}: {} programs", object.programs.len()),
            Err(error) => println!("aya-obj {name}: {error}"),
        }
    }
}
RS
for section in kprobe/do_exit tc socket_filter fmod_ret/bpf_modify_return_test; do
  name=$(echo "$section" | cut -d/ -f1)
  names="${names:-} $name"
  cat >"$name.c" <<C
#define SEC(name) __attribute__((section(name), used))
SEC("kprobe/do_nanosleep") int first(void *ctx) { return 0; }
SEC("$section") int second(void *ctx) { return 0; }
char licence[] SEC("license") = "GPL";
C
  clang-14 -O2 -g -target bpf -c "$name.c" -o "$name.o"
  # libbpf opens each of them: the generated header has a place for both programs.
  bpftool gen skeleton "$name.o" name both >"$name.h" 2>/dev/null
  echo "libbpf $name: $(grep -c 'struct bpf_program \*' "$name.h") programs"
done >seen
# shellcheck disable=SC2086 # a list of words
cargo run --quiet -- $names >>seen
cat seen
cat >expected <<'TEXT'
libbpf kprobe: 2 programs
libbpf tc: 2 programs
libbpf socket_filter: 2 programs
libbpf fmod_ret: 2 programs
aya-obj kprobe: 2 programs
aya-obj tc: invalid program section `tc`
aya-obj socket_filter: invalid program section `socket_filter`
aya-obj fmod_ret: invalid program section `fmod_ret/bpf_modify_return_test`
TEXT
diff expected seen
