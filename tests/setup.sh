#!/bin/sh
# Installs what the tests need beside Rust, on a bare Debian 12: packages by apt-get, and the two kernels that the
# kernel tests boot, under target/kernels/. Does nothing where all of it is there. Needs root (or sudo) only to
# install; reads no input.
#
#   tests/setup.sh             all of it
#   tests/setup.sh --kernels   the kernels alone
#   tests/setup.sh --module-names   beside each kernel, what the modules of its package define (a few minutes; needed
#                              only to make src/platform/builtin/kernels.table anew)
set -eu
cd "$(dirname "$0")/.."
kernels=${CARGO_TARGET_DIR:-target}/kernels

# The kernel series that are tested; for each the newest package that apt knows is taken once and then kept.
series="6.1 6.12"

packages="
  build-essential pkg-config libelf-dev zlib1g-dev
  qemu-system-x86 xz-utils zstd
  python3
  clang-14 llvm-14
  bpftool
  busybox-static
  golang-go golang-github-cilium-ebpf-dev
"

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

apt() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3 "$@" </dev/null >&2
}

# The lists are fetched at most once a run, and only where something is missing.
refreshed=
refresh() {
  [ -n "$refreshed" ] || apt update || echo "setup: apt-get update failed; going on with the lists at hand" >&2
  refreshed=yes
}

install_packages() {
  missing=
  for package in $packages; do
    dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' || missing="$missing $package"
  done
  [ -n "$missing" ] || return 0
  echo "setup: installing$missing" >&2
  refresh
  # shellcheck disable=SC2086 # a list of words
  apt install -y --no-install-recommends $missing
}

# Signed kernels for real machines: no realtime, cloud, debug or unsigned variants.
newest_kernel() {
  apt-cache pkgnames "linux-image-$1." | grep -E '^linux-image-[0-9][^a-z]*(\+deb12)?-amd64$' | sort -V | tail -n 1
}

# target/kernels/6.1/: package (its name), vmlinuz, config, overlay.ko. Complete or not there at all.
fetch_kernel() {
  into=$kernels/$1
  [ ! -s "$into/package" ] || return 0
  package=$(newest_kernel "$1")
  if [ -z "$package" ]; then refresh; package=$(newest_kernel "$1"); fi
  if [ -z "$package" ]; then
    echo "setup: apt knows no linux-image-$1.*-amd64 (is bookworm-security among the sources?)" >&2
    exit 1
  fi
  echo "setup: fetching $package" >&2
  work=$kernels/.$1.$$
  rm -rf "$work" "$into"
  mkdir -p "$work/new"
  (
    cd "$work"
    download() {
      apt-get -qq -o Acquire::Retries=3 -o APT::Sandbox::User="$(id -un)" download "$package" </dev/null >&2
    }
    # A list that has aged names a package that the mirror has dropped.
    download || { apt update; download; }
    dpkg-deb --fsys-tarfile ./*.deb |
      tar x --wildcards './boot/vmlinuz-*' './boot/config-*' '*/kernel/fs/overlayfs/overlay.ko*'
    cp boot/vmlinuz-* new/vmlinuz
    cp boot/config-* new/config
    module=$(find . -path '*/overlayfs/overlay.ko*')
    case $module in
      *.xz) xz -dc "$module" >new/overlay.ko ;;
      *) cp "$module" new/overlay.ko ;;
    esac
    echo "$package" >new/package
  )
  mv "$work/new" "$into"
  rm -rf "$work"
}

# target/kernels/6.1/module-names: functions and tracepoints of every module of the package, in order.
list_modules() {
  into=$kernels/$1
  work=$kernels/.modules-$1.$$
  mkdir -p "$work"
  package=$(cat "$into/package")
  echo "setup: reading the modules of $package" >&2
  (
    cd "$work"
    apt-get -qq -o APT::Sandbox::User="$(id -un)" download "$package" </dev/null >&2
    dpkg-deb --fsys-tarfile ./*.deb | tar x --wildcards './boot/vmlinuz-*' '*/kernel/*.ko*'
    # The kernel's own types, on which those of modules count on: behind the header of the image.
    word() { od -An -tu4 -j "$1" -N 4 boot/vmlinuz-* | tr -d ' '; }
    from=$(( ($(od -An -tu1 -j 497 -N 1 boot/vmlinuz-*) + 1) * 512 + $(word 584) ))
    tail -c +$((from + 1)) boot/vmlinuz-* | head -c $(($(word 588) - 4)) >payload
    if [ "$(head -c 4 payload | od -An -tx1 | tr -d ' ')" = 28b52ffd ]; then zstd -dcq payload; else xz -dcq --single-stream payload; fi >vmlinux
    find . -name '*.ko.xz' -exec xz -d {} +
    # shellcheck disable=SC2016 # for the inner shell
    find . -name '*.ko' -exec sh -c 'bpftool btf dump -B vmlinux file "$0" 2>/dev/null' {} \; |
      sed -nE "s/^\[[0-9]+\] FUNC '([^']+)'.*/\1/p; s/^\[[0-9]+\] TYPEDEF 'btf_trace_([^']+)'.*/\1/p" | LC_ALL=C sort -u >names
  )
  mv "$work/names" "$into/module-names"
  rm -rf "$work"
}

mkdir -p "$kernels"
case ${1:-} in
  --kernels) ;;
  --module-names)
    for version in $series; do fetch_kernel "$version"; list_modules "$version"; done
    exit ;;
  "") install_packages ;;
  *) sed -n 2,10p "$0" >&2; exit 2 ;;
esac
for version in $series; do fetch_kernel "$version"; done
