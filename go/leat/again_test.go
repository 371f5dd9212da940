package leat

import (
	"encoding/binary"
	"io"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// A repeater stands between two nodes.  Each link of a session but the first begins with all the numbered frames that have come that way
// before: as when the side that has them asks for them again, though here it has not asked.
type repeater struct {
	l     net.Listener
	to    string
	mu    sync.Mutex
	conns []net.Conn
	links int
	was   [2][]byte // the frames, by direction
	kinds [2][]byte // of the frames
}

func newRepeater(t *testing.T) *repeater {
	t.TempDir() // as in newNode
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	x := &repeater{l: l}
	go func() {
		for {
			a, err := l.Accept()
			if err != nil {
				return
			}
			x.mu.Lock()
			network, to, again := "tcp", x.to, x.links > 0
			x.links++
			x.mu.Unlock()
			if filepath.IsAbs(to) {
				network = "unix"
			}
			b, err := net.Dial(network, to)
			if err != nil {
				_ = a.Close()
				continue
			}
			x.mu.Lock()
			x.conns = append(x.conns, a, b)
			x.mu.Unlock()
			go x.pump(b, a, 0, again)
			go x.pump(a, b, 1, again)
		}
	}()
	t.Cleanup(func() { _ = l.Close(); x.cut() })
	return x
}

func (x *repeater) url() string { return "tcp://" + x.l.Addr().String() }

func (x *repeater) cut() {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, c := range x.conns {
		_ = c.Close()
	}
	x.conns = nil
}

func (x *repeater) made() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.links
}

// lastKind is that of the last numbered frame that has gone that way.
func (x *repeater) lastKind(way int) byte {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.kinds[way]) == 0 {
		return 0
	}
	return x.kinds[way][len(x.kinds[way])-1]
}

func readFrame(from io.Reader) ([]byte, error) {
	b := make([]byte, headerLen)
	if _, err := io.ReadFull(from, b); err != nil {
		return nil, err
	}
	b = append(b, make([]byte, binary.LittleEndian.Uint32(b))...)
	_, err := io.ReadFull(from, b[headerLen:])
	return b, err
}

func (x *repeater) pump(to, from net.Conn, way int, again bool) {
	defer func() { _, _ = to.Close(), from.Close() }()
	if _, err := io.CopyN(to, from, int64(len(preamble))); err != nil {
		return
	}
	for first := true; ; first = false {
		b, err := readFrame(from)
		if err != nil {
			return
		}
		if _, err := to.Write(b); err != nil {
			return
		}
		x.mu.Lock()
		was := x.was[way]
		if kind := b[4]; kind >= numbered {
			x.was[way] = append(x.was[way], b...)
			x.kinds[way] = append(x.kinds[way], kind)
		}
		x.mu.Unlock()
		if first && again {
			if _, err := to.Write(was); err != nil {
				return
			}
		}
	}
}

func TestWhatComesAgainToCOrGoIsTakenOnce(t *testing.T) {
	for _, goDials := range []bool{true, false} {
		t.Run(map[bool]string{true: "go_dials", false: "c_dials"}[goDials], func(t *testing.T) {
			x := newRepeater(t)
			c, n := newC(t), newNode(t, quick("go"))
			comesAgain(t, x, c, n, joinedBy(t, x, c, n, goDials), map[bool]int{true: 0, false: 1}[goDials])
		})
	}
}

func joinedBy(t *testing.T, x *repeater, c *cpeer, n *Node, goDials bool) *Peer {
	if goDials {
		x.to = filepath.Join(t.TempDir(), "c")
		c.ok("listen unix:%s", x.to)
		p, err := n.Dial(within(t), x.url())
		must(t, err)
		return p
	}
	must(t, n.Listen("tcp://127.0.0.1:0"))
	x.to = n.URL()[len("tcp://"):]
	c.ok("dial %s", x.url())
	n.lock()
	defer n.unlock()
	for p := range n.peers {
		return p
	}
	t.Fatal("no session")
	return nil
}

// comesAgain has elements queued on both sides that are not acknowledged, and breaks the link behind the last of them.  toC is their way
// to C.
func comesAgain(t *testing.T, x *repeater, c *cpeer, n *Node, p *Peer, toC int) {
	const each, rounds = 7, 3
	ctx := within(t)
	until := func(what string, f func() bool) {
		for ; !f(); time.Sleep(time.Millisecond) {
			if ctx.Err() != nil || p.Err() != nil {
				t.Fatal(what, ": ", p.Err())
			}
		}
	}
	cut := func() {
		had := x.made()
		x.cut()
		until("no other link", func() bool { return x.made() > had })
	}
	last := func(way int) {
		if kind := x.lastKind(way); kind != kElem {
			t.Fatalf("the last frame is %s, and no element", kindNames[kind])
		}
	}
	c.ok("make 1 64")
	c.ok("export-tx to-c 1")
	far, err := ImportTx[mark](ctx, p, "to-c")
	must(t, err)
	c.ok("drop 1")
	c.ok("unexport to-c")
	toGo := func(from int) { c.ok("many 2 %d %d", from, each) }
	send := func(from int) {
		for i := 0; i < each; i++ {
			must(t, far.Send(ctx, mark{int32(from + i)}))
		}
	}
	send(0)
	until("what C has", func() bool { return c.ok("len 1").n == each })
	last(toC)
	cut()

	c.ok("make 2 64")
	c.ok("export-rx to-go 2")
	rx, err := ImportRx[mark](ctx, p, "to-go")
	must(t, err)
	toGo(0)
	until("what Go has", func() bool { return queued(n, rx) == each })
	last(1 - toC)
	cut()

	for i := 1; i < rounds; i++ {
		toGo(i * each)
		send(i * each)
		cut()
	}
	far.Finish()
	if o := c.ok("all 1"); o.n != rounds*each {
		t.Fatal(o)
	}
	c.ok("finish 2")
	for i := 0; i < rounds*each; i++ {
		v, err := rx.Recv(ctx)
		if must(t, err); v.N != int32(i) {
			t.Fatal(v, i)
		}
	}
	_, err = rx.Recv(ctx)
	wants(t, err, Closed)
}

func queued(n *Node, rx Rx[mark]) int {
	n.lock()
	defer n.unlock()
	return len(rx.h.c.queue)
}
