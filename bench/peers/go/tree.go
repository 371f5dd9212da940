package main

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

func registerTrees() {
	register("skynet", 1000000, skynet)
	register("cancel-tree", 5, cancelTree)
}

func sky(out chan<- int64, num, size int64) {
	if size == 1 {
		out <- num
		return
	}
	in := make(chan int64)
	sum := int64(0)
	for i := int64(0); i < 10; i++ {
		go sky(in, num+i*(size/10), size/10)
	}
	for i := 0; i < 10; i++ {
		sum += <-in
	}
	out <- sum
}

func skynet(n int) {
	out := make(chan int64)
	start := time.Now()
	go sky(out, 0, int64(n))
	sum := <-out
	result("skynet", "ms", float64(time.Since(start).Nanoseconds())/1e6)
	result("skynet-peak", "MiB", statusKiB("VmHWM")/1024)
	if want := int64(n) * int64(n-1) / 2; sum != want {
		wrong("skynet: the sum is %d, not %d", sum, want)
	}
}

// gate tells one waiter that n tasks have arrived.
type gate struct {
	left int64
	all  chan struct{}
}

func newGate(n int) *gate { return &gate{int64(n), make(chan struct{}, 1)} }

func (g *gate) arrive() {
	if atomic.AddInt64(&g.left, -1) == 0 {
		g.all <- struct{}{}
	}
}

func branch(ctx context.Context, depth int, g *gate, wg *sync.WaitGroup) {
	mine, cancel := context.WithCancel(ctx)
	defer cancel()
	var children sync.WaitGroup
	if depth > 0 {
		children.Add(10)
		for i := 0; i < 10; i++ {
			go branch(mine, depth-1, g, &children)
		}
	}
	g.arrive()
	<-mine.Done()
	children.Wait()
	wg.Done()
}

func cancelTree(depth int) {
	tasks, level := 0, 1
	for i := 0; i <= depth; i++ {
		tasks += level
		level *= 10
	}
	ctx, cancel := context.WithCancel(context.Background())
	g := newGate(tasks)
	var wg sync.WaitGroup
	wg.Add(1)
	go branch(ctx, depth, g, &wg)
	<-g.all
	time.Sleep(50 * time.Millisecond) // the last ones to arrive still have to wait
	start := time.Now()
	cancel()
	wg.Wait()
	result("cancel-tree", "ms", float64(time.Since(start).Nanoseconds())/1e6)
}
