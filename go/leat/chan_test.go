package leat

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

type mark struct {
	N int32 `leat:"n"`
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wants(t *testing.T, err error, code Code) {
	t.Helper()
	if !errors.Is(err, code) && !(err == nil && code == OK) {
		t.Fatalf("%v, not %v", err, code)
	}
}

func newNode(t *testing.T, o Options) *Node {
	t.Helper()
	t.TempDir() // the first one's folder goes after the node, whose socket is in it
	n, err := Open(o)
	must(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		slow := time.AfterFunc(3*time.Second, func() { n.describe(t) })
		defer slow.Stop()
		if err := n.Close(ctx); err != nil {
			t.Errorf("%s is not closed in order: %v", o.Name, err)
		}
	})
	return n
}

// describe says how the sessions of a node are.
func (n *Node) describe(t *testing.T) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for s := range n.peers {
		t.Logf("%s: link %v tries %d out %d acked %d in %d bye %v %v %v queue %d ends %d", s.name, s.link != nil, s.tries, s.outNum,
			s.acked, s.inNum, s.byeWanted, s.byeSent, s.peerBye, len(s.queue), len(s.ends))
		if l := s.link; l != nil {
			t.Logf("next %d said %v last %v", l.next, l.said, l.last)
		}
		for _, e := range s.ends {
			t.Logf("end %d site %v items %d held %d queued %v blocked %v", e.id, e.site, len(e.items), e.held, e.queued, e.blocked())
		}
	}
}

// pair is two nodes and a session that b has dialed.
func pair(t *testing.T) (a, b *Node, toA *Peer) {
	t.Helper()
	a, b = newNode(t, Options{Name: "a"}), newNode(t, Options{Name: "b"})
	must(t, a.Listen("unix:"+filepath.Join(t.TempDir(), "a")))
	p, err := b.Dial(within(t), a.URL())
	must(t, err)
	return a, b, p
}

func TestElementsArriveInOrder(t *testing.T) {
	for _, capacity := range []int{0, 1, 2, 16, 1000} {
		t.Run(fmt.Sprint(capacity), func(t *testing.T) {
			a, _, p := pair(t)
			ctx := within(t)
			tx, rx, err := Make[mark](a, capacity)
			must(t, err)
			must(t, a.Export("marks", tx))
			tx.Finish()
			far, err := ImportTx[mark](ctx, p, "marks")
			must(t, err)
			a.Unexport("marks")
			const count = 3000
			go func() {
				for i := 0; i < count; i++ {
					if err := far.Send(ctx, mark{int32(i)}); err != nil {
						t.Error(err)
						break
					}
				}
				far.Finish()
			}()
			values, ended := rx.Range(ctx)
			want := int32(0)
			for v := range values {
				if v.N != want {
					t.Fatalf("%d, not %d", v.N, want)
				}
				want++
			}
			must(t, ended())
			if want != count {
				t.Fatalf("%d elements", want)
			}
		})
	}
}

func TestAnImportedReceiveEndMovesWithWhatIsQueued(t *testing.T) {
	for _, capacity := range []int{0, 4} {
		a, _, p := pair(t)
		ctx := within(t)
		tx, rx, err := Make[mark](a, capacity)
		must(t, err)
		for i := 0; i < capacity; i++ {
			must(t, tx.Send(ctx, mark{int32(i)}))
		}
		must(t, a.Export("marks", rx))
		far, err := ImportRx[mark](ctx, p, "marks")
		must(t, err)
		_, err = ImportRx[mark](ctx, p, "marks")
		wants(t, err, Refused)
		_, err = rx.Recv(ctx)
		wants(t, err, Inval)
		go func() {
			for i := capacity; i < 500; i++ {
				if err := tx.Send(ctx, mark{int32(i)}); err != nil {
					t.Error(err)
				}
			}
			tx.Close()
		}()
		for i := 0; i < 500; i++ {
			v, err := far.Recv(ctx)
			must(t, err)
			if v.N != int32(i) {
				t.Fatalf("%d, not %d", v.N, i)
			}
		}
		_, err = far.Recv(ctx)
		wants(t, err, Closed)
	}
}

func TestSeveralNodesShareAChannel(t *testing.T) {
	for _, capacity := range []int{0, 1, 2, 7} {
		a := newNode(t, Options{Name: "a"})
		ctx := within(t)
		must(t, a.Listen("tcp://127.0.0.1:0"))
		tx, rx, err := Make[mark](a, capacity)
		must(t, err)
		must(t, a.Export("marks", tx))
		var wg sync.WaitGroup
		send := func(tx Tx[mark]) {
			for i := 0; i < 300; i++ {
				if err := tx.Send(ctx, mark{1}); err != nil {
					t.Error(err)
				}
			}
			tx.Finish()
			wg.Done()
		}
		for i := 0; i < 3; i++ {
			p, err := newNode(t, Options{Name: fmt.Sprint(i)}).Dial(ctx, a.URL())
			must(t, err)
			far, err := ImportTx[mark](ctx, p, "marks")
			must(t, err)
			wg.Add(1)
			go send(far)
		}
		wg.Add(1)
		go send(tx)
		a.Unexport("marks")
		values, ended := rx.Range(ctx)
		sum := 0
		for v := range values {
			sum += int(v.N)
		}
		must(t, ended())
		wg.Wait()
		if sum != 1200 {
			t.Fatalf("capacity %d: %d", capacity, sum)
		}
	}
}

func TestGoneFlushTryAndRefusals(t *testing.T) {
	a, _, p := pair(t)
	ctx := within(t)
	tx, rx, err := Make[mark](a, 2)
	must(t, err)
	must(t, a.Export("marks", tx))
	wants(t, a.Export("nothing", nil), Inval)
	wants(t, a.Export("nothing", 5), Inval)
	wants(t, a.Listen("unix:"), Inval)
	_, err = a.Dial(ctx, "unix:")
	wants(t, err, Inval)
	_, err = ImportTx[mark](ctx, p, "nothing")
	wants(t, err, Refused)
	_, err = ImportRx[mark](ctx, p, "marks")
	wants(t, err, Refused)
	_, err = ImportTx[struct {
		N string
	}](ctx, p, "marks")
	wants(t, err, TypeErr)
	far, err := ImportTx[mark](ctx, p, "marks")
	must(t, err)
	must(t, far.TrySend(mark{1}))
	must(t, far.TrySend(mark{2}))
	wants(t, far.TrySend(mark{3}), Again)
	must(t, far.Flush(ctx))
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	err = far.Send(short, mark{4})
	wants(t, err, Deadline)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	v, err := rx.TryRecv()
	if must(t, err); v.N != 1 || rx.Len() != 1 {
		t.Fatal(v, rx.Len())
	}
	rx.Release()
	for err = nil; err == nil; err = far.Send(ctx, mark{5}) {
	}
	wants(t, err, Gone)
	wants(t, tx.Send(ctx, mark{6}), Gone)
}

func TestALossIsNeverAClose(t *testing.T) {
	a, b, p := pair(t)
	ctx := within(t)
	tx, rx, err := Make[mark](a, 4)
	must(t, err)
	must(t, a.Export("marks", tx))
	far, err := ImportTx[mark](ctx, p, "marks")
	must(t, err)
	must(t, far.Send(ctx, mark{1}))
	must(t, far.Flush(ctx))
	b.lock()
	p.dead(Inval, "a test")
	p.end(fail(PeerLost, "a test"))
	b.unlock()
	tx.Finish()
	a.Unexport("marks")
	v, err := rx.Recv(ctx)
	if must(t, err); v.N != 1 {
		t.Fatal(v)
	}
	_, err = rx.Recv(ctx)
	wants(t, err, PeerLost)
	var e *Error
	if !errors.As(err, &e) || e.Node != "b" {
		t.Fatalf("%#v", err)
	}
	wants(t, far.Send(ctx, mark{1}), PeerLost)
}
