package main

import (
	"context"
	"reflect"
	"sync"
	"time"
)

func registerGrowth() {
	register("growth-select", 100, growthSelect)
	register("growth-timers", 1000, growthTimers)
}

// A select statement where its length is written down in this program, else reflect.Select, the only way for a number of
// channels that is known when the program runs.
func pickOf(k int) func(c []chan int64) int64 {
	switch k {
	case 2:
		return recv2
	case 8:
		return recv8
	case 64:
		return recv64
	}
	var cases []reflect.SelectCase
	return func(c []chan int64) int64 {
		if len(cases) == 0 || cases[0].Chan.Pointer() != reflect.ValueOf(c[0]).Pointer() {
			cases = cases[:0]
			for _, ch := range c {
				cases = append(cases, reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(ch)})
			}
		}
		_, v, _ := reflect.Select(cases)
		return v.Int()
	}
}

func growthSelect(k int) {
	n := 4000000 / (k + 20)
	selectReady("growth-select-ready", n, k, pickOf(k))
	selectBlocked("growth-select-blocked", n, k, pickOf(k))
}

func late(ctx context.Context, g *gate, far time.Duration, wg *sync.WaitGroup) {
	defer wg.Done()
	g.arrive()
	t := time.NewTimer(far)
	select {
	case <-t.C:
	case <-ctx.Done():
		t.Stop()
	}
}

func growthTimers(n int) {
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	g := newGate(n)
	wg.Add(n)
	random := uint64(88172645463325252)
	start := time.Now()
	for i := 0; i < n; i++ {
		random ^= random << 13
		random ^= random >> 7
		random ^= random << 17
		go late(ctx, g, time.Duration(1000000000000+random%1000000000000), &wg)
	}
	<-g.all
	per("growth-timers-set", start, n)
	start = time.Now()
	cancel()
	wg.Wait()
	per("growth-timers-lift", start, n)
}
