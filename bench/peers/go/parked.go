package main

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

func registerParked() { register("parked", 1000000, parked) }

// statusKiB reads a size from /proc/self/status.
func statusKiB(field string) float64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		wrong("parked: %v", err)
	}
	for _, line := range strings.Split(string(text), "\n") {
		if strings.HasPrefix(line, field+":") {
			kib, _ := strconv.ParseFloat(strings.Fields(line)[1], 64)
			return kib
		}
	}
	wrong("parked: /proc/self/status has no %s", field)
	return 0
}

func memory() float64 { return 1024 * (statusKiB("VmRSS") + statusKiB("VmPTE")) }

func park(c <-chan int64, g *gate, wg *sync.WaitGroup) {
	g.arrive()
	<-c
	wg.Done()
}

func parkAll(name string, n int, c <-chan int64, wg *sync.WaitGroup) {
	g := newGate(n)
	wg.Add(n)
	start := time.Now()
	for i := 0; i < n; i++ {
		go park(c, g, wg)
	}
	<-g.all
	per(name, start, n)
}

func parked(n int) {
	var wg sync.WaitGroup
	c := make(chan int64)
	before := memory()
	parkAll("parked", n, c, &wg)
	result("parked-bytes", "B", (memory()-before)/float64(n))
	start := time.Now()
	for i := 0; i < n; i++ {
		c <- 1
	}
	wg.Wait()
	per("wake", start, n)
	parkAll("parked-warm", n, c, &wg)
	close(c)
	wg.Wait()
}
