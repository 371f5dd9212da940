package leat

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
)

// Goroutines of several nodes try at one time: as many succeed as there is room, whatever way the slots and the answers take.
func TestAsManyThatTryAtOneTimeSucceedAsThereIsRoom(t *testing.T) {
	for _, way := range []struct {
		name  string
		relay bool
	}{{"at home", false}, {"through a relay", true}} {
		t.Run(way.name, func(t *testing.T) {
			for capacity := 1; capacity <= 4; capacity++ {
				tryAtOneTime(t, capacity, way.relay)
			}
		})
	}
}

// ends of nodes that import from the home, or each from the one before it
func fan(t *testing.T, capacity, width int) (Rx[mark], []Tx[mark]) {
	a, ctx := newNode(t, Options{Name: "a"}), within(t)
	tx, rx, err := Make[mark](a, capacity)
	must(t, err)
	must(t, a.Export("marks", tx))
	must(t, a.Listen(address(t, "a")))
	ends := []Tx[mark]{tx}
	for i := 0; i < width; i++ {
		p, err := newNode(t, Options{}).Dial(ctx, a.URL())
		must(t, err)
		far, err := ImportTx[mark](ctx, p, "marks")
		must(t, err)
		ends = append(ends, far)
	}
	return rx, ends
}

func tryAtOneTime(t *testing.T, capacity int, relay bool) {
	rx, ends := fan(t, capacity, 2)
	if relay {
		c := newChain(t, capacity, 2)
		rx, ends = c.rx, append([]Tx[mark]{c.tx}, c.ends...)
	}
	for round := 0; round < 60; round++ {
		var done atomic.Int32
		var all sync.WaitGroup
		start, each := make(chan struct{}), 1+round%3
		some := ends[round/3%2:]
		for _, end := range some {
			for i := 0; i < each; i++ {
				all.Add(1)
				go func(end Tx[mark]) {
					defer all.Done()
					<-start
					if err := end.TrySend(mark{1}); err == nil {
						done.Add(1)
					} else if !errors.Is(err, Again) {
						t.Error(err)
					}
				}(end)
			}
		}
		close(start)
		all.Wait()
		want := len(some) * each
		if want > capacity {
			want = capacity
		}
		if done.Load() != int32(want) {
			t.Fatalf("capacity %d, round %d: of %d that tried %d succeeded", capacity, round, len(some)*each, done.Load())
		}
		for _, end := range ends {
			must(t, end.Flush(within(t)))
		}
		for ; want > 0; want-- {
			_, err := rx.TryRecv()
			must(t, err)
		}
	}
}
