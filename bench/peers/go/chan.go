package main

import (
	"context"
	"sync"
	"time"
)

func registerChannels() {
	register("pingpong", 1000000, pingpong)
	register("pingpong-deadline", 1000000, pingpongDeadline)
	register("pingpong-cancel", 1000000, pingpongCancel)
	register("buffered-1x1", 5000000, func(n int) { transfer("buffered-1x1", n, 1, 128) })
	register("buffered-4x4", 4000000, func(n int) { transfer("buffered-4x4", n, 4, 128) })
	register("unbuffered-4x4", 2000000, func(n int) { transfer("unbuffered-4x4", n, 4, 0) })
	register("sieve", 2500, sieve)
	register("ring", 1000000, ring)
}

// roundTrips times n round trips: this goroutine asks, and one that it starts answers v + 1.
func roundTrips(name string, n int, ask func(there, back chan int64, n int) bool, answer func(there, back chan int64, n int)) {
	there, back := make(chan int64), make(chan int64)
	start := time.Now()
	go answer(there, back, n)
	if !ask(there, back, n) {
		wrong("%s: a wrong answer came back", name)
	}
	per(name, start, n)
}

func pingpong(n int) {
	roundTrips("pingpong", n, func(there, back chan int64, n int) bool {
		for i := int64(0); i < int64(n); i++ {
			there <- i
			if <-back != i+1 {
				return false
			}
		}
		return true
	}, func(there, back chan int64, n int) {
		for i := 0; i < n; i++ {
			back <- <-there + 1
		}
	})
}

// recvBefore receives under a deadline of 10 s from now; the timer is the caller's and used again.
func recvBefore(c <-chan int64, timer *time.Timer) int64 {
	timer.Reset(10 * time.Second)
	select {
	case v := <-c:
		return v
	case <-timer.C:
		return -1
	}
}

func pingpongDeadline(n int) {
	roundTrips("pingpong-deadline", n, func(there, back chan int64, n int) bool {
		timer := time.NewTimer(10 * time.Second)
		defer timer.Stop()
		for i := int64(0); i < int64(n); i++ {
			there <- i
			if recvBefore(back, timer) != i+1 {
				return false
			}
		}
		return true
	}, func(there, back chan int64, n int) {
		timer := time.NewTimer(10 * time.Second)
		defer timer.Stop()
		for i := 0; i < n; i++ {
			back <- recvBefore(there, timer) + 1
		}
	})
}

func recvUnder(ctx context.Context, c <-chan int64) int64 {
	select {
	case v := <-c:
		return v
	case <-ctx.Done():
		return -1
	}
}

func sendUnder(ctx context.Context, c chan<- int64, v int64) {
	select {
	case c <- v:
	case <-ctx.Done():
	}
}

func pingpongCancel(n int) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	roundTrips("pingpong-cancel", n, func(there, back chan int64, n int) bool {
		for i := int64(0); i < int64(n); i++ {
			sendUnder(ctx, there, i)
			if recvUnder(ctx, back) != i+1 {
				return false
			}
		}
		return true
	}, func(there, back chan int64, n int) {
		for i := 0; i < n; i++ {
			sendUnder(ctx, back, recvUnder(ctx, there)+1)
		}
	})
}

func produce(c chan<- int64, n int, wg *sync.WaitGroup) {
	for i := 1; i <= n; i++ {
		c <- int64(i)
	}
	wg.Done()
}

func consume(c <-chan int64, n int, sum *int64, wg *sync.WaitGroup) {
	total := int64(0)
	for i := 0; i < n; i++ {
		total += <-c
	}
	*sum = total
	wg.Done()
}

// transfer sends n elements from so many producers to as many consumers.
func transfer(name string, n, tasks, capacity int) {
	c := make(chan int64, capacity)
	sums := make([]int64, tasks)
	each := n/tasks + 1
	var wg sync.WaitGroup
	wg.Add(2 * tasks)
	start := time.Now()
	for i := 0; i < tasks; i++ {
		go consume(c, each, &sums[i], &wg)
		go produce(c, each, &wg)
	}
	wg.Wait()
	per(name, start, each*tasks)
	total, want := int64(0), int64(tasks)*int64(each)*int64(each+1)/2
	for _, s := range sums {
		total += s
	}
	if total != want {
		wrong("%s: the sum is %d, not %d", name, total, want)
	}
}

func generate(out chan<- int64) {
	for i := int64(2); ; i++ {
		out <- i
	}
}

func filter(in <-chan int64, out chan<- int64, prime int64) {
	for {
		if i := <-in; i%prime != 0 {
			out <- i
		}
	}
}

func sieve(n int) {
	c := make(chan int64)
	prime := int64(0)
	start := time.Now()
	go generate(c)
	for i := 0; i < n; i++ {
		prime = <-c
		next := make(chan int64)
		go filter(c, next, prime)
		c = next
	}
	result("sieve", "ms", float64(time.Since(start).Nanoseconds())/1e6)
	if n == 2500 && prime != 22307 {
		wrong("sieve: the 2500th prime is 22307, not %d", prime)
	}
}

func pass(in <-chan int64, out, done chan<- int64) {
	for {
		if v := <-in; v > 0 {
			out <- v - 1
		} else {
			done <- v
		}
	}
}

func ring(n int) {
	const tasks = 10000
	done := make(chan int64)
	first := make(chan int64)
	in := first
	for i := 1; i < tasks; i++ {
		out := make(chan int64)
		go pass(in, out, done)
		in = out
	}
	go pass(in, first, done)
	first <- tasks - 1 // once around, so that every task has started and waits
	<-done
	start := time.Now()
	first <- int64(n)
	<-done
	per("ring", start, n)
}
