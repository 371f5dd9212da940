package leat

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

// A chain is a home, and nodes behind each other that have given its send end on: the last one is farthest.
type chain struct {
	home  *Node
	tx    Tx[mark]
	rx    Rx[mark]
	ends  []Tx[mark]
	nodes []*Node
	peers []*Peer // of each node, the one before it
}

func newChain(t *testing.T, capacity, length int) *chain {
	t.Helper()
	ctx := within(t)
	c := &chain{home: newNode(t, Options{Name: "home"})}
	var err error
	c.tx, c.rx, err = Make[mark](c.home, capacity)
	must(t, err)
	last, end := c.home, c.tx
	for i := 0; i < length; i++ {
		must(t, last.Export("marks", end))
		must(t, last.Listen(address(t, "n")))
		n := newNode(t, Options{Name: fmt.Sprint("n", i)})
		p, err := n.Dial(ctx, last.URL())
		must(t, err)
		end, err = ImportTx[mark](ctx, p, "marks")
		must(t, err)
		last.Unexport("marks")
		c.ends, c.nodes, c.peers, last = append(c.ends, end), append(c.nodes, n), append(c.peers, p), n
	}
	return c
}

func TestElementsPassThroughRelaysInOrder(t *testing.T) {
	for _, capacity := range []int{0, 1, 3, 50} {
		t.Run(fmt.Sprint(capacity), func(t *testing.T) {
			c := newChain(t, capacity, 3)
			ctx := within(t)
			const count = 200
			for i, end := range c.ends {
				go func(i int32, end Tx[mark]) {
					for k := int32(0); k < count; k++ {
						if err := end.Send(ctx, mark{i*count + k}); err != nil {
							t.Error(i, err)
							return
						}
					}
					if err := end.Flush(ctx); err != nil {
						t.Error(i, err)
					}
					end.Finish()
				}(int32(i), end)
			}
			c.tx.Finish()
			next := [3]int32{}
			values, ended := c.rx.Range(ctx)
			for v := range values {
				i, k := v.N/count, v.N%count
				if k != next[i] {
					t.Fatalf("%d of %d, not %d", k, i, next[i])
				}
				next[i]++
			}
			must(t, ended())
			if next != [3]int32{count, count, count} {
				t.Fatal(next)
			}
		})
	}
}

func TestTriesSelectsAndClosesThroughRelays(t *testing.T) {
	for _, capacity := range []int{0, 2} {
		t.Run(fmt.Sprint(capacity), func(t *testing.T) {
			c := newChain(t, capacity, 3)
			ctx := within(t)
			far := c.ends[2]
			for i := 0; i < capacity; i++ {
				must(t, far.TrySend(mark{int32(i)}))
			}
			wants(t, far.TrySend(mark{9}), Again)
			wants(t, c.ends[0].TrySend(mark{9}), Again)
			short, stop := context.WithTimeout(ctx, 30*time.Millisecond)
			wants(t, far.Send(short, mark{9}), Deadline)
			stop()
			fired := make(chan error, 3)
			for i, end := range c.ends {
				_, never, err := Make[mark](c.nodes[i], 0)
				must(t, err)
				go func(end Tx[mark]) {
					var m mark
					at, err := Select(ctx, never.OnRecv(&m), end.OnSend(mark{7}))
					if err == nil && at != 1 {
						err = fmt.Errorf("case %d", at)
					}
					fired <- err
				}(end)
			}
			for i := 0; i < capacity+3; i++ {
				v, err := c.rx.Recv(ctx)
				if must(t, err); v.N != 7 && v.N != int32(i) {
					t.Fatal(v)
				}
			}
			for range c.ends {
				must(t, <-fired)
			}
			waiting := make(chan error)
			go func() {
				var err error
				for err == nil {
					err = c.ends[1].Send(ctx, mark{8})
				}
				waiting <- err
			}()
			far.Close()
			wants(t, <-waiting, Closed)
			var err error
			for err == nil {
				_, err = c.rx.Recv(ctx)
			}
			wants(t, err, Closed)
			wants(t, c.tx.Send(ctx, mark{1}), Closed)
		})
	}
}

func TestTheDeathOfAHomeReachesWhoSendsThroughRelays(t *testing.T) {
	for _, capacity := range []int{0, 2} {
		c := newChain(t, capacity, 2)
		ctx := within(t)
		waiting := make(chan error)
		go func() {
			var err error
			for err == nil {
				err = c.ends[1].Send(ctx, mark{8})
			}
			waiting <- err
		}()
		for i := 0; i < 3; i++ {
			_, err := c.rx.Recv(ctx)
			must(t, err)
		}
		kill(c.peers[0])
		err := <-waiting
		var e *Error
		if !errors.As(err, &e) || e.Code != PeerLost && !(e.Code == Unknown && capacity == 0) || e.Node != "home" {
			t.Fatalf("%#v", err)
		}
		wants(t, c.ends[1].Send(ctx, mark{8}), PeerLost)
		wants(t, c.ends[0].Send(ctx, mark{8}), PeerLost)
	}
}

func TestAReceiveEndMovesUnderItsSenders(t *testing.T) {
	for _, capacity := range []int{0, 1, 5} {
		t.Run(fmt.Sprint(capacity), func(t *testing.T) {
			c := newChain(t, capacity, 2)
			ctx := within(t)
			var wg sync.WaitGroup
			for _, end := range append([]Tx[mark]{c.tx}, c.ends...) {
				wg.Add(1)
				go func(end Tx[mark]) {
					defer wg.Done()
					for k := 0; k < 100; k++ {
						if err := end.Send(ctx, mark{1}); err != nil {
							t.Error(err)
							return
						}
					}
					end.Finish()
				}(end)
			}
			got := 0
			take := func(rx Rx[mark], n int) {
				for i := 0; i < n; i++ {
					if _, err := rx.Recv(ctx); err != nil {
						t.Fatal(err)
					}
					got++
				}
			}
			take(c.rx, 20)
			rx := c.rx
			for hop := 0; hop < 4; hop++ {
				rx = carry(t, ctx, c, hop, rx)
				take(rx, 20)
			}
			values, ended := rx.Range(ctx)
			for range values {
				got++
			}
			must(t, ended())
			wg.Wait()
			if got != 300 {
				t.Fatal(got)
			}
		})
	}
}

// carry moves a receive end: home to n0, n0 to n1, n1 to n0, n0 to home.
func carry(t *testing.T, ctx context.Context, c *chain, hop int, rx Rx[mark]) Rx[mark] {
	t.Helper()
	type parcel struct{ In Rx[mark] }
	all := []*Node{c.home, c.nodes[0], c.nodes[1]}
	from, to := []int{0, 1, 2, 1}[hop], []int{1, 2, 1, 0}[hop]
	name := fmt.Sprint("post", hop)
	if to < from { // who receives was dialed by who sends: a send end is imported
		tx, box, err := Make[parcel](all[to], hop%2)
		must(t, err)
		must(t, all[to].Export(name, tx))
		post, err := ImportTx[parcel](ctx, c.peers[from-1], name)
		must(t, err)
		return posted(t, ctx, post, box, parcel{rx}, func(p parcel) Rx[mark] { return p.In })
	}
	tx, box, err := Make[parcel](all[from], hop%2)
	must(t, err)
	must(t, all[from].Export(name, box))
	far, err := ImportRx[parcel](ctx, c.peers[to-1], name)
	must(t, err)
	return posted(t, ctx, tx, far, parcel{rx}, func(p parcel) Rx[mark] { return p.In })
}

func posted[P any](t *testing.T, ctx context.Context, tx Tx[P], box Rx[P], p P, in func(P) Rx[mark]) Rx[mark] {
	t.Helper()
	sent := make(chan error, 1)
	go func() { sent <- tx.Send(ctx, p) }()
	got, err := box.Recv(ctx)
	must(t, err)
	must(t, <-sent)
	return in(got)
}

func TestEndsInAValueThatIsNotTakenAreAsBefore(t *testing.T) {
	a, b, p := pair(t)
	ctx := within(t)
	type parcel struct {
		Out Tx[mark]
		In  Rx[mark]
	}
	tx, rx, err := Make[parcel](a, 0)
	must(t, err)
	must(t, a.Export("post", tx))
	post, err := ImportTx[parcel](ctx, p, "post")
	must(t, err)
	out, in, err := Make[mark](b, 2)
	must(t, err)
	must(t, out.Send(ctx, mark{1}))
	for i := 0; i < 3; i++ {
		short, stop := context.WithTimeout(ctx, 20*time.Millisecond)
		wants(t, post.Send(short, parcel{out, in}), Deadline)
		stop()
		wants(t, post.TrySend(parcel{out, in}), Again)
	}
	must(t, out.Send(ctx, mark{2}))
	v, err := in.Recv(ctx)
	if must(t, err); v.N != 1 {
		t.Fatal(v)
	}
	sent := make(chan error, 1)
	go func() { sent <- post.Send(ctx, parcel{out, in}) }()
	got, err := rx.Recv(ctx)
	must(t, err)
	must(t, <-sent)
	must(t, got.Out.Send(ctx, mark{3}))
	out.Finish()
	got.Out.Finish()
	for want := int32(2); want < 4; want++ {
		if v, err = got.In.Recv(ctx); err != nil || v.N != want {
			t.Fatal(v, err)
		}
	}
	_, err = got.In.Recv(ctx)
	wants(t, err, Closed)
	for end := time.Now().Add(10 * time.Second); len(p.endsNow()) > 1; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d ends are left", len(p.endsNow()))
		}
	}
}

func (p *Peer) endsNow() map[uint64]*end {
	p.n.lock()
	defer p.n.unlock()
	all := map[uint64]*end{}
	for id, e := range p.ends {
		all[id] = e
	}
	return all
}
