#!/bin/sh
# SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
# build.sh [OUTPUT]: compiles the stencils.  Without OUTPUT, replaces the committed object and writes BUILT.
# The bytes depend on sources and compiler alone: paths are cut, debug information is stripped (BTF stays).
set -eu
cd "$(dirname "$0")"
export LC_ALL=C
out=${1:-stencils.bpf.o}
flags="-O2 -g -target bpf -mcpu=v3 -Wall -Wextra -Werror -Wno-unused-parameter -Wno-unused-function"
clang-14 $flags -ffile-prefix-map="$PWD"=. -fdebug-compilation-dir=. -c stencils.bpf.c -o "$out"
llvm-strip-14 -g "$out"
[ $# -eq 0 ] || exit 0
{
	echo "sha256 $(sha256sum <"$out" | cut -d' ' -f1)"
	echo "compiler $(clang-14 --version | head -1)"
	echo "command clang-14 $flags -ffile-prefix-map=\$PWD=. -fdebug-compilation-dir=. -c stencils.bpf.c -o stencils.bpf.o && llvm-strip-14 -g stencils.bpf.o"
} >BUILT
