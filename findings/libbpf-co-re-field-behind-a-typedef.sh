#!/bin/sh
# libbpf 1.1 with clang 14: a CO-RE field access through a typedef of a flavoured structure (`NAME___flavour`).
#
# Guess: a typedef is another name for its structure, in C and in BTF, so the field is found in the kernel's `NAME`.
# Seen:  clang roots the relocation at the typedef, and libbpf looks for a type of the typedef's name and kind. The
#        kernel has none. `bpftool gen min_core_btf` ends with status 0 and writes BTF without the structure; the same
#        access through `struct NAME___flavour` finds the field.
# Who meets it: whoever abbreviates `struct long_name___v2` by a typedef to handle two kernels: it compiles, minimised
#        BTF lacks the type without a word, and the access does not resolve where the program is loaded.
#
# Needs: clang-14, llvm-14 and bpftool (Debian 12). Installs nothing outside a temporary folder.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
# Stands for the kernel.
cat >kernel.c <<'C'
struct connection { int state; int owner; };
int use(struct connection *c) { return c->owner; }
C
cat >by_structure.c <<'C'
struct connection___new { int owner; } __attribute__((preserve_access_index));
__attribute__((section("kprobe/f"), used)) int f(void *ctx) { struct connection___new *c = ctx; return c->owner; }
C
cat >by_typedef.c <<'C'
typedef struct connection___new { int owner; } __attribute__((preserve_access_index)) connection_t;
__attribute__((section("kprobe/f"), used)) int f(void *ctx) { connection_t *c = ctx; return c->owner; }
C
for name in kernel by_structure by_typedef; do
  clang-14 -O2 -g -target bpf -c "$name.c" -o "$name.o"
done
llvm-objcopy-14 --dump-section .BTF=kernel.btf kernel.o
for name in by_structure by_typedef; do
  status=0
  bpftool gen min_core_btf kernel.btf "$name.btf" "$name.o" || status=$?
  fields=$(bpftool btf dump file "$name.btf" | grep -c "'owner' type_id" || true)
  echo "$name: status $status, $fields field"
done >seen
bpftool version | sed -n 's/using //p' >>seen
cat seen
cat >expected <<'TEXT'
by_structure: status 0, 1 field
by_typedef: status 0, 0 field
libbpf v1.1
TEXT
diff expected seen
