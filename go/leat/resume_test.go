package leat

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

// cutting breaks the links that go through x every few milliseconds, until it is stopped.
func cutting(x *cutter, every time.Duration) (stop func()) {
	over, done := make(chan bool), make(chan bool)
	go func() {
		defer close(done)
		for {
			select {
			case <-over:
				return
			case <-time.After(every):
				x.cut()
			}
		}
	}()
	return func() { close(over); <-done }
}

// quick are the options of a node that waits a short time only for the last word of a peer, which a cut may have swallowed.
func quick(name string) Options {
	return Options{Name: name, Idle: time.Second, Patience: time.Second}
}

func TestALinkThatBreaksLosesNothingBetweenGoNodes(t *testing.T) {
	for _, capacity := range []int{0, 1, 64} {
		t.Run(fmt.Sprint(capacity), func(t *testing.T) {
			x := newCutter(t, "unix")
			a, b := newNode(t, quick("a")), newNode(t, quick("b"))
			path := filepath.Join(t.TempDir(), "a")
			must(t, a.Listen("unix:"+path))
			x.leadTo(path)
			ctx := within(t)
			p, err := b.Dial(ctx, x.url())
			must(t, err)
			throughCuts(t, a, p, x, capacity)
		})
	}
}

// throughCuts sends elements and makes calls from the node of p to a, while links break.
func throughCuts(t *testing.T, a *Node, p *Peer, x *cutter, capacity int) {
	ctx := within(t)
	tx, rx, err := Make[mark](a, capacity)
	must(t, err)
	must(t, a.Export("marks", tx))
	tx.Finish()
	var runs int64
	must(t, Serve(a, "calc.twice", func(_ context.Context, in mark) (mark, error) {
		atomic.AddInt64(&runs, 1)
		return mark{2 * in.N}, nil
	}))
	far, err := ImportTx[mark](ctx, p, "marks")
	must(t, err)
	a.Unexport("marks")
	defer cutting(x, 7*time.Millisecond)()
	const count = 1200
	go func() {
		for i := 0; i < count; i++ {
			if err := far.Send(ctx, mark{int32(i)}); err != nil {
				t.Error(err)
				break
			}
			if i%100 == 0 {
				if got, err := Call[mark](ctx, p, "calc.twice", mark{int32(i)}); err != nil || got.N != int32(2*i) {
					t.Error(got, err)
				}
			}
		}
		if err := far.Flush(ctx); err != nil {
			t.Error(err)
		}
		far.Finish()
	}()
	for i := 0; i < count; i++ {
		v, err := rx.Recv(ctx)
		if must(t, err); v.N != int32(i) {
			t.Fatal(v, i)
		}
	}
	_, err = rx.Recv(ctx)
	wants(t, err, Closed)
	if n := atomic.LoadInt64(&runs); n != count/100 {
		t.Fatalf("%d calls have run", n)
	}
}

func TestALinkToCThatBreaksLosesNothing(t *testing.T) {
	for _, capacity := range []int{0, 16} {
		t.Run(fmt.Sprintf("go_dials_%d", capacity), func(t *testing.T) {
			x := newCutter(t, "unix")
			c := newC(t)
			n := newNode(t, quick("go"))
			path := filepath.Join(t.TempDir(), "c")
			c.ok("listen unix:%s", path)
			x.leadTo(path)
			ctx := within(t)
			p, err := n.Dial(ctx, x.url())
			must(t, err)
			c.ok("make 1 %d", capacity)
			c.ok("export-tx marks 1")
			tx, err := ImportTx[mark](ctx, p, "marks")
			must(t, err)
			c.ok("drop 1")
			c.ok("unexport marks")
			defer cutting(x, 20*time.Millisecond)()
			got := c.begin("all 1")
			for i := 0; i < 400; i++ {
				must(t, tx.Send(ctx, mark{int32(i)}))
				if i%50 == 0 {
					if v, err := Call[mark](ctx, p, "calc.twice", mark{int32(i)}); err != nil || v.N != int32(2*i) {
						t.Fatal(v, err)
					}
				}
			}
			tx.Finish()
			if o := c.good(got); o.n != 400 {
				t.Fatal(o)
			}
		})
		t.Run(fmt.Sprintf("c_dials_%d", capacity), func(t *testing.T) {
			x := newCutter(t, "tcp")
			c := newC(t)
			n := newNode(t, quick("go"))
			must(t, n.Listen("tcp://127.0.0.1:0"))
			x.leadTo(n.URL()[len("tcp://"):])
			c.ok("dial %s", x.url())
			tx, rx, err := Make[mark](n, capacity)
			must(t, err)
			must(t, n.Export("marks", tx))
			tx.Finish()
			serveCalc(t, n, nil)
			c.ok("import-tx marks 1")
			n.Unexport("marks")
			defer cutting(x, 20*time.Millisecond)()
			sent := c.begin("many 1 0 400")
			for i := 0; i < 400; i++ {
				v, err := rx.Recv(within(t))
				if must(t, err); v.N != int32(i) {
					t.Fatal(v, i)
				}
				if i%50 == 0 {
					if o := c.ok("call 0 %d", i); o.n != 2*i {
						t.Fatal(o)
					}
				}
			}
			c.good(sent)
			c.ok("finish 1")
			_, err = rx.Recv(within(t))
			wants(t, err, Closed)
		})
	}
}

// Every link ends after so many bytes: a hello, and a little more than the longest frame; then a few more.
func TestALinkThatIsCutAtAnyByte(t *testing.T) {
	x := newCutter(t, "unix")
	a, b := newNode(t, quick("a")), newNode(t, quick("b"))
	path := filepath.Join(t.TempDir(), "a")
	must(t, a.Listen("unix:"+path))
	x.leadTo(path)
	ctx := within(t)
	for cuts := 165; cuts < 700; cuts += 19 {
		x.mu.Lock()
		x.cuts = cuts
		x.mu.Unlock()
		p, err := b.Dial(ctx, x.url())
		must(t, err)
		tx, rx, err := Make[mark](a, 2)
		must(t, err)
		must(t, a.Export("marks", tx))
		tx.Finish()
		far, err := ImportTx[mark](ctx, p, "marks")
		must(t, err)
		a.Unexport("marks")
		go func() {
			for i := 0; i < 12; i++ {
				if err := far.Send(ctx, mark{int32(i)}); err != nil {
					t.Error(err)
				}
			}
			far.Finish()
		}()
		for i := 0; i < 12; i++ {
			v, err := rx.Recv(ctx)
			if must(t, err); v.N != int32(i) {
				t.Fatal(v, i)
			}
		}
		_, err = rx.Recv(ctx)
		wants(t, err, Closed)
		must(t, p.Close(ctx))
	}
}

func TestASessionWithoutALink(t *testing.T) {
	x := newCutter(t, "unix")
	a, b := newNode(t, Options{Name: "a", Grace: 400 * time.Millisecond}), newNode(t, quick("b"))
	path := filepath.Join(t.TempDir(), "a")
	must(t, a.Listen("unix:"+path))
	x.leadTo(path)
	ctx := within(t)
	p, err := b.Dial(ctx, x.url())
	must(t, err)
	tx, rx, err := Make[mark](a, 0)
	must(t, err)
	must(t, a.Export("marks", tx))
	must(t, Serve(a, "calc.twice", func(_ context.Context, in mark) (mark, error) { return in, nil }))
	far, err := ImportTx[mark](ctx, p, "marks")
	must(t, err)
	wants(t, far.TrySend(mark{1}), Again)
	x.leadTo(filepath.Join(t.TempDir(), "nobody"))
	x.cut()
	for p.linked() {
		time.Sleep(time.Millisecond)
	}
	wants(t, far.TrySend(mark{1}), Again)
	short, stop := context.WithTimeout(ctx, 30*time.Millisecond)
	defer stop()
	_, err = Call[mark](short, p, "calc.twice", mark{1})
	wants(t, err, Deadline)
	<-p.Done()
	wants(t, p.Err(), PeerLost)
	wants(t, far.Send(ctx, mark{2}), PeerLost)
	_, err = Call[mark](ctx, p, "calc.twice", mark{1})
	wants(t, err, PeerLost)
	tx.Finish()
	a.Unexport("marks")
	_, err = rx.Recv(ctx)
	wants(t, err, PeerLost)
}

func (p *Peer) linked() bool {
	p.n.lock()
	defer p.n.unlock()
	return p.link != nil
}

func TestADeadlineIsShorterByTheTimeWithoutALink(t *testing.T) {
	n := newNode(t, Options{})
	s := newPeer(n, true, 1)
	l := &link{s: s, next: 1, kick: make(chan struct{}, 1)}
	s.link, s.peerLimits = l, ourLimits
	ctx, stop := context.WithTimeout(context.Background(), time.Hour)
	defer stop()
	d, err := describeFor[mark]()
	must(t, err)
	if err := s.open(ctx, &call{name: "a.b", in: d, outD: d}, valueOf(mark{1})); err != nil {
		t.Fatal(err)
	}
	n.lock()
	defer n.unlock()
	first := append([]byte(nil), s.gather(l)...)
	time.Sleep(2 * time.Millisecond)
	l.next = 1
	again := s.gather(l)
	at := headerLen + 16 + 1 + 1 + 4
	one, two := r64(first, at), r64(again, at)
	if len(first) != len(again) || one <= two || one-two < 2e6 || one > uint64(time.Hour) {
		t.Fatalf("%d, then %d", one, two)
	}
}
