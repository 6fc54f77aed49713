#!/bin/sh
# tests/fuzz/run.sh TARGET [SECONDS]: seeds, dictionary, and a run of one target on one core.
set -eu
cd "$(dirname "$0")"
target=$1 seconds=${2:-3600} top=../.. longest=65536
corpus=corpus/$target
mkdir -p "$corpus"
case $target in
check | yaml)
    # Longer ones only take longer.
    longest=16384
    find $top/examples $top/tests/cases $top/tests/kernel/cases \( -name '*.yaml' -o -name '*.json' \) -size -16k |
        while read -r file; do cp "$file" "$corpus/$(sha256sum "$file" | cut -c1-40)"; done
    ;;
artifact)
    out=$(mktemp -d)
    # In the order of the target's own policies.
    for name in database-exec-allowlist host-openat watch-credentials; do
        cat "$top/examples/policies/$name.yaml"
        printf '\n---\n'
    done | cargo run --quiet --manifest-path $top/Cargo.toml -- compile - -o "$out/artifact"
    seed() { { printf "$1"; cat "$2"; } > "$corpus/$(printf "$1" | tr -dc a-z)-$(basename "$2")"; }
    seed m "$out/artifact/manifest.json"
    seed r "$out/artifact/report.json"
    seed o $top/bpf-templates/stencils.bpf.o
    for file in "$top"/tests/targets/*.json; do seed d "$file"; done
    # Files are replaced by their position: maps first, as paths sort.
    number=0
    for file in "$out"/artifact/maps/* "$out"/artifact/objects/*; do
        case $file in
        *.o) seed o "$file" ;;
        *) for reader in i s t; do seed $reader "$file"; done ;;
        esac
        seed "f\\$(printf %03o $number)" "$file"
        number=$((number + 1))
    done
    rm -r "$out"
    ;;
*)
    echo "no such target: $target" >&2
    exit 2
    ;;
esac
# Every word that the tables of the language hold, and what YAML is written with.
{
    grep -rhoE --include='*.rs' '"[A-Za-z_:/.0-9]{2,40}"' $top/src/vocab $top/src/syntax/ast | sort -u
    for word in '---' '- ' ': ' '&a' '*a' '<<' '!!str' '!!binary' '|' '>-' '{}' '[]' '? ' '%YAML 1.2' '~'; do
        echo "\"$word\""
    done
    printf '"%s"\n' '\x0a' '\x0d\x0a' '\x09' '\xef\xbb\xbf' '\xc2\x85' '\xe2\x80\xa8' '\xf0\x9f\x98\x80' '\xcc\x81'
} > words.dict
cargo +nightly fuzz build --fuzz-dir . --sanitizer "${SANITIZER:-none}" "$target"
# Not through cargo, which would build again when a source changes meanwhile.
mkdir -p "artifacts/$target"
exec nice -n 10 "target/$(rustc -vV | sed -n 's/^host: //p')/release/$target" "$corpus" -dict=words.dict \
    -artifact_prefix="artifacts/$target/" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=10 \
    -max_len=$longest -print_final_stats=1
