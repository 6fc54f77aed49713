#!/bin/sh
# sigs.k8s.io/yaml 1.3.0 (Debian 12's golang-k8s-sigs-yaml-dev): an unquoted number in a field of type string.
#
# Guess: the field gets the text as it is written, or the document is refused.
# Seen:  the number is read as a 64-bit float and printed as a 32-bit one, without an error. `1.23456789` in a label
#        or a version becomes "1.2345679", and 18446744073709551616 (one more than the largest 64-bit integer) becomes
#        "1.8446744e+19". Integers that fit in 64 bits, and quoted values, stay as they are.
# Who meets it: whoever reads manifests of Kubernetes, or of tools that use its reader, and compares what one tool
# read with what another did.
#
# Needs: apt-get (Debian 12), Go 1.19 (golang-go). Installs nothing outside a temporary folder.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
for package in golang-k8s-sigs-yaml-dev=1.3.0-1 golang-gopkg-yaml.v2-dev=2.4.0-4; do
  apt-get -qq -o APT::Sandbox::User="$(id -un)" download "$package"
done
for deb in ./*.deb; do dpkg-deb -x "$deb" root; done

mkdir -p root/usr/share/gocode/src/try
cat >root/usr/share/gocode/src/try/main.go <<'GO'
package main

import (
	"fmt"

	"sigs.k8s.io/yaml"
)

func main() {
	for _, value := range []string{"1.23456789", "18446744073709551616", "18446744073709551615", `"1.23456789"`} {
		var read struct{ Field string }
		err := yaml.UnmarshalStrict([]byte("field: "+value+"\n"), &read)
		fmt.Printf("%s -> %q %v\n", value, read.Field, err)
	}
}
GO
export GOPATH="$work/root/usr/share/gocode" GO111MODULE=off GOFLAGS= GOCACHE="$work/cache"
go run try >seen
cat >expected <<'TEXT'
1.23456789 -> "1.2345679" <nil>
18446744073709551616 -> "1.8446744e+19" <nil>
18446744073709551615 -> "18446744073709551615" <nil>
"1.23456789" -> "1.23456789" <nil>
TEXT
cat seen
diff expected seen
