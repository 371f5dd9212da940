package main

import (
	"sort"
	"sync"
	"time"
)

func registerTimers() {
	register("timer", 5000000, timerStartStop)
	register("select-after", 1000000, selectAfter)
	register("sleepers", 1000000, sleepers)
}

func timerStartStop(n int) {
	start := time.Now()
	for i := 0; i < n; i++ {
		time.NewTimer(10 * time.Second).Stop()
	}
	per("timer", start, n)
}

// recvOrAfter is a select over a receive and a time-out, as it is mostly written.
func recvOrAfter(c <-chan int64) int64 {
	select {
	case v := <-c:
		return v
	case <-time.After(10 * time.Second):
		return -1
	}
}

func selectAfter(n int) {
	roundTrips("select-after", n, func(there, back chan int64, n int) bool {
		for i := int64(0); i < int64(n); i++ {
			there <- i
			if recvOrAfter(back) != i+1 {
				return false
			}
		}
		return true
	}, func(there, back chan int64, n int) {
		for i := 0; i < n; i++ {
			back <- recvOrAfter(there) + 1
		}
	})
}

func sleeper(base *time.Time, offset time.Duration, open <-chan struct{}, g *gate, late *time.Duration, wg *sync.WaitGroup) {
	g.arrive()
	<-open
	due := base.Add(offset)
	time.Sleep(time.Until(due))
	*late = time.Since(due)
	wg.Done()
}

// sleepers: n tasks, all of them started and parked once, then sleep until instants spread evenly, 500 a millisecond.
func sleepers(n int) {
	var wg sync.WaitGroup
	var base time.Time
	late := make([]time.Duration, n)
	open := make(chan struct{})
	g := newGate(n)
	wg.Add(n)
	random := uint64(88172645463325252)
	window := time.Duration(n) * 2 * time.Microsecond
	for i := 0; i < n; i++ {
		random ^= random << 13
		random ^= random >> 7
		random ^= random << 17
		go sleeper(&base, time.Duration(random%uint64(window)), open, g, &late[i], &wg)
	}
	<-g.all
	base = time.Now().Add(window + 50*time.Millisecond)
	close(open)
	wg.Wait()
	sort.Slice(late, func(i, k int) bool { return late[i] < late[k] })
	if late[0] < 0 {
		wrong("sleepers: one woke %v early", -late[0])
	}
	result("sleepers-p50", "us", float64(late[n/2].Nanoseconds())/1e3)
	result("sleepers-p99", "us", float64(late[n*99/100].Nanoseconds())/1e3)
}
