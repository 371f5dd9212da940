package leat

import (
	"context"
	"fmt"
	"os"
	"sort"
	"sync"
	"testing"
	"time"
)

// A tally is which kinds of frames went between a Go node and a C node.
type tally struct {
	mu   sync.Mutex
	seen map[string]int
}

func (s *tally) tap(sent bool, kind byte) {
	s.mu.Lock()
	s.seen[map[bool]string{true: "to C", false: "from C"}[sent]+" "+kindNames[kind]]++
	s.mu.Unlock()
}

func (s *tally) until(t *testing.T, what string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		s.mu.Lock()
		k := s.seen[what]
		s.mu.Unlock()
		if k > 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("no %s", what)
		}
	}
}

// Every frame of docs/wire.md goes between Go and C, in both directions.
func TestEveryFrameBothWays(t *testing.T) {
	all := &tally{seen: map[string]int{}}
	scenes := map[string]func(*testing.T, *tally, Options){"buffered_at_c": bufferedAtC, "buffered_at_go": bufferedAtGo,
		"unbuffered_at_c": unbufferedAtC, "unbuffered_at_go": unbufferedAtGo, "calls": callsBothWays, "torn_by_go": tornByGo,
		"torn_by_c": tornByC, "silence": silence, "another_type": anotherType, "long_forms": longForms}
	for name, scene := range scenes {
		t.Run(name, func(t *testing.T) { scene(t, all, Options{tap: all.tap}) })
	}
	if os.Getenv("LEAT_GO_PEER") == "" {
		t.Skip("there is no C side")
	}
	var missing []string
	for _, name := range kindNames {
		for _, way := range []string{"to C ", "from C "} {
			if all.seen[way+name] == 0 {
				missing = append(missing, way+name)
			}
		}
	}
	sort.Strings(missing)
	if len(missing) > 0 {
		t.Fatalf("never went: %q", missing)
	}
}

func bufferedAtC(t *testing.T, seen *tally, o Options) {
	_, p, c := withC(t, o, true)
	ctx := within(t)
	c.ok("make 1 2")
	c.ok("export-tx marks 1")
	tx, err := ImportTx[mark](ctx, p, "marks")
	must(t, err)
	must(t, tx.Send(ctx, mark{0}))
	must(t, tx.Send(ctx, mark{1}))
	must(t, tx.Flush(ctx))
	wants(t, tx.TrySend(mark{9}), Again)
	c.ok("recv 1")
	c.ok("recv 1")
	must(t, tx.Send(ctx, mark{2}))
	c.ok("recv 1")
	c.ok("send 1 3") // while its slots are lent to Go
	c.ok("send 1 4")
	c.ok("recv 1")
	tx.Close()
	if o := c.ok("recv 1"); o.n != 4 {
		t.Fatal(o)
	}
	c.fails(Closed, c.begin("recv 1"))
	must(t, p.Close(ctx))
}

func bufferedAtGo(t *testing.T, seen *tally, o Options) {
	n, _, c := withC(t, o, false)
	ctx := within(t)
	tx, rx, err := Make[mark](n, 2)
	must(t, err)
	must(t, n.Export("marks", tx))
	c.ok("import-tx marks 1")
	c.ok("send 1 0")
	c.ok("send 1 1")
	c.ok("flush 1")
	c.fails(Again, c.begin("try 1 9"))
	for i := 0; i < 2; i++ {
		_, err = rx.Recv(ctx)
		must(t, err)
	}
	c.ok("send 1 2")
	_, err = rx.Recv(ctx)
	must(t, err)
	must(t, tx.Send(ctx, mark{3}))
	must(t, tx.Send(ctx, mark{4}))
	for i := 3; i < 5; i++ {
		v, err := rx.Recv(ctx)
		if must(t, err); v.N != int32(i) {
			t.Fatal(v)
		}
	}
	c.ok("close 1")
	_, err = rx.Recv(ctx)
	wants(t, err, Closed)
	wants(t, tx.Send(ctx, mark{5}), Closed)
	c.ok("drop 1")
	seen.until(t, "from C DROP")
}

func unbufferedAtC(t *testing.T, seen *tally, o Options) {
	n, p, c := withC(t, o, true)
	ctx := within(t)
	c.ok("make 1 0")
	c.ok("export-tx marks 1")
	tx, err := ImportTx[mark](ctx, p, "marks")
	must(t, err)
	wants(t, tx.TrySend(mark{1}), Again)
	short, stop := context.WithTimeout(ctx, 30*time.Millisecond)
	defer stop()
	wants(t, tx.Send(short, mark{2}), Deadline)
	_, never, err := Make[mark](n, 0)
	must(t, err)
	var got mark
	fired := make(chan error, 1)
	go func() {
		at, err := Select(ctx, never.OnRecv(&got), tx.OnSend(mark{3}))
		if err == nil && at != 1 {
			err = fmt.Errorf("case %d", at)
		}
		fired <- err
	}()
	if o := c.ok("recv 1"); o.n != 3 {
		t.Fatal(o)
	}
	must(t, <-fired)
	received := c.begin("recv 1")
	must(t, tx.Send(ctx, mark{4}))
	if o := c.good(received); o.n != 4 {
		t.Fatal(o)
	}
	c.ok("release 1")
	wants(t, tx.Send(ctx, mark{5}), Gone)
	tx.Finish()
}

func unbufferedAtGo(t *testing.T, seen *tally, o Options) {
	n, _, c := withC(t, o, false)
	ctx := within(t)
	tx, rx, err := Make[mark](n, 0)
	must(t, err)
	must(t, n.Export("marks", tx))
	c.ok("import-tx marks 1")
	c.fails(Again, c.begin("try 1 1"))
	c.fails(Deadline, c.begin("send 1 2 within 30"))
	sent := c.begin("select 1 3")
	v, err := rx.Recv(ctx)
	if must(t, err); v.N != 3 {
		t.Fatal(v)
	}
	c.good(sent)
	sent = c.begin("send 1 4")
	if v, err = rx.Recv(ctx); err != nil || v.N != 4 {
		t.Fatal(v, err)
	}
	c.good(sent)
	sent = c.begin("send 1 5")
	rx.Release()
	c.fails(Gone, sent)
}

func callsBothWays(t *testing.T, seen *tally, o Options) {
	n, p, c := withC(t, o, true)
	ctx := within(t)
	_, err := Call[mark](ctx, p, "calc.twice", mark{1})
	must(t, err)
	some, cancel := WithCancel(ctx)
	reply := CallAsync[mark](some, p, "calc.wait", mark{})
	time.Sleep(5 * time.Millisecond)
	cancel(Canceled)
	wants(t, (<-reply).Err, Unknown)
	<-c.causes
	seen.until(t, "from C DONE")
	must(t, Serve(n, "calc.twice", func(_ context.Context, in mark) (mark, error) { return mark{2 * in.N}, nil }))
	must(t, Serve(n, "calc.wait", func(ctx context.Context, in mark) (mark, error) {
		<-ctx.Done()
		seen.until(t, "from C CANCEL") // so that it comes before the answer
		return in, ctx.Err()
	}))
	must(t, n.Listen(address(t, "n")))
	c.ok("dial %s", n.URL())
	c.ok("call 0 1")
	c.fails(Unknown, c.begin("wait 0 20"))
	seen.until(t, "to C DONE")
}

// tornByGo: Go is a relay to C, and loses who sends through it.
func tornByGo(t *testing.T, seen *tally, o Options) {
	n, p, c := withC(t, o, true)
	ctx := within(t)
	c.ok("make 1 4")
	c.ok("export-tx marks 1")
	tx, err := ImportTx[mark](ctx, p, "marks")
	must(t, err)
	c.ok("drop 1")
	c.ok("unexport marks")
	must(t, n.Export("on", tx))
	must(t, n.Listen(address(t, "relay")))
	third := newNode(t, Options{Name: "third"})
	q, err := third.Dial(ctx, n.URL())
	must(t, err)
	far, err := ImportTx[mark](ctx, q, "on")
	must(t, err)
	must(t, far.Send(ctx, mark{0}))
	must(t, far.Flush(ctx))
	must(t, tx.Send(ctx, mark{1}))
	kill(q)
	n.Unexport("on")
	seen.until(t, "to C TORN")
	tx.Finish()
	if o := c.fails(PeerLost, c.begin("all 1")); o.n != 2 {
		t.Fatal(o)
	}
}

// kill ends a session as the death of its node would.
func kill(p *Peer) {
	p.n.lock()
	p.dead(Inval, "a test")
	p.end(fail(PeerLost, "a test"))
	p.n.unlock()
}

func tornByC(t *testing.T, seen *tally, o Options) {
	n, _, c := withC(t, o, false)
	ctx := within(t)
	tx, rx, err := Make[mark](n, 4)
	must(t, err)
	must(t, n.Export("marks", tx))
	tx.Finish()
	c.ok("import-tx marks 1")
	n.Unexport("marks")
	c.ok("export-tx on 1")
	third := newNode(t, Options{Name: "third"})
	q, err := third.Dial(ctx, c.ok("listen %s", address(t, "relay")).detail)
	must(t, err)
	far, err := ImportTx[mark](ctx, q, "on")
	must(t, err)
	must(t, far.Send(ctx, mark{0}))
	must(t, far.Flush(ctx))
	kill(q)
	seen.until(t, "from C TORN")
	c.ok("unexport on")
	c.ok("finish 1")
	_, err = rx.Recv(ctx)
	must(t, err)
	_, err = rx.Recv(ctx)
	wants(t, err, PeerLost)
}

func silence(t *testing.T, seen *tally, o Options) {
	o.Idle, o.Patience = 40*time.Millisecond, 20*time.Second
	n := newNode(t, o)
	c := newC(t, "quiet")
	_, err := n.Dial(within(t), c.ok("listen %s", address(t, "c")).detail)
	must(t, err)
	seen.until(t, "from C PONG")
	c = newC(t, "asks", "40")
	o.Idle = 10 * time.Second
	m := newNode(t, o)
	_, err = m.Dial(within(t), c.ok("listen %s", address(t, "d")).detail)
	must(t, err)
	seen.until(t, "from C PING")
	seen.until(t, "to C PONG")
}
