package main

import (
	"context"
	"runtime"
	"sync"
	"time"
)

func registerTasks() {
	register("spawn", 2000000, spawn)
	register("spawn-wait", 1000000, spawnWait)
	register("yield", 10000000, yield)
	register("mutex", 4000000, mutex)
}

func nothing(ctx context.Context, wg *sync.WaitGroup) { wg.Done() }

func spawn(n int) {
	const batch = 1000
	var wg sync.WaitGroup
	ctx := context.Background()
	start := time.Now()
	for i := 0; i < n; i += batch {
		wg.Add(batch)
		for k := 0; k < batch; k++ {
			go nothing(ctx, &wg)
		}
		wg.Wait()
	}
	per("spawn", start, (n+batch-1)/batch*batch)
}

func spawnWait(n int) {
	var wg sync.WaitGroup
	ctx := context.Background()
	start := time.Now()
	for i := 0; i < n; i++ {
		wg.Add(1)
		go nothing(ctx, &wg)
		wg.Wait()
	}
	per("spawn-wait", start, n)
}

func yielder(n int, wg *sync.WaitGroup) {
	for i := 0; i < n; i++ {
		runtime.Gosched()
	}
	wg.Done()
}

func yield(n int) {
	var wg sync.WaitGroup
	wg.Add(2)
	start := time.Now()
	go yielder(n/2, &wg)
	go yielder(n/2, &wg)
	wg.Wait()
	per("yield", start, n/2*2)
}

func counter(n int, mu *sync.Mutex, count *int64, wg *sync.WaitGroup) {
	for i := 0; i < n; i++ {
		mu.Lock()
		*count++
		mu.Unlock()
	}
	wg.Done()
}

func mutex(n int) {
	const tasks = 8
	var wg sync.WaitGroup
	var mu sync.Mutex
	var count int64
	each := n/tasks + 1
	wg.Add(tasks)
	start := time.Now()
	for i := 0; i < tasks; i++ {
		go counter(each, &mu, &count, &wg)
	}
	wg.Wait()
	per("mutex", start, each*tasks)
	if count != int64(each*tasks) {
		wrong("mutex: counted %d, not %d", count, each*tasks)
	}
}
