// Reads eBPF objects with cilium/ebpf and says what is in them, one line an object. Nothing is loaded: the version
// that Debian ships (0.9.1) cannot load on the tested kernels, but it must understand the objects.
package main

import (
	"fmt"
	"os"
	"sort"
	"strings"

	"github.com/cilium/ebpf"
)

func main() {
	failed := len(os.Args) < 2
	for _, path := range os.Args[1:] {
		spec, err := ebpf.LoadCollectionSpec(path)
		if err != nil {
			fmt.Printf("%s: %v\n", path, err)
			failed = true
			continue
		}
		var programs, maps []string
		for name, program := range spec.Programs {
			programs = append(programs, fmt.Sprintf("%s (%s, %d instructions)", name, program.Type, len(program.Instructions)))
		}
		for name := range spec.Maps {
			maps = append(maps, name)
		}
		sort.Strings(programs)
		sort.Strings(maps)
		fmt.Printf("%s: programs %s; maps %s\n", path, strings.Join(programs, ", "), strings.Join(maps, ", "))
		if len(programs) == 0 {
			failed = true
		}
	}
	if failed {
		os.Exit(1)
	}
}
