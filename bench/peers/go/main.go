// The benchmarks of bench/ written in Go, under the same names.
//
//	go_bench NAME [--workers N] [N]
//
// Each prints a JSON line a result, as leat_bench does. Where Go offers several ways, the fastest one that a
// reader would still call ordinary is taken: a reused timer, a select statement instead of reflect, a direct call after go.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

type bench struct {
	name string
	n    int
	run  func(n int)
}

var benches []bench

func register(name string, n int, run func(n int)) { benches = append(benches, bench{name, n, run}) }

func result(name, unit string, value float64) {
	fmt.Printf("{\"bench\":\"%s\",\"unit\":\"%s\",\"value\":%.6g}\n", name, unit, value)
}

// per reports the time since start, divided among n operations.
func per(name string, start time.Time, n int) {
	result(name, "ns", float64(time.Since(start).Nanoseconds())/float64(n))
}

func wrong(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "go_bench: "+format+"\n", args...)
	os.Exit(1)
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: go_bench NAME [--workers N] [N]; NAME is one of")
	for _, b := range benches {
		fmt.Fprintln(os.Stderr, "  "+b.name)
	}
	os.Exit(2)
}

func main() {
	registerTasks()
	registerChannels()
	registerSelects()
	registerTrees()
	registerParked()
	registerTimers()
	registerNet()
	registerEcho()
	registerGrowth()
	registerCodecs()
	name, n := "", 0
	for i := 1; i < len(os.Args); i++ {
		arg := os.Args[i]
		if arg == "--workers" && i+1 < len(os.Args) {
			i++
			w, err := strconv.Atoi(os.Args[i])
			if err != nil || w < 1 {
				usage()
			}
			runtime.GOMAXPROCS(w)
		} else if v, err := strconv.Atoi(arg); err == nil && v > 0 {
			n = v
		} else if name == "" && !strings.HasPrefix(arg, "-") {
			name = arg
		} else {
			usage()
		}
	}
	for _, b := range benches {
		if b.name == name {
			if n == 0 {
				n = b.n
			}
			b.run(n)
			return
		}
	}
	usage()
}
