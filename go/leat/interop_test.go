package leat

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

// A cpeer is a C program (test/go/peer.c) that does what it is told.
type cpeer struct {
	t      *testing.T
	in     io.Writer
	mu     sync.Mutex
	next   int
	wait   map[string]chan string
	causes chan string
}

// newC starts the C side; the test is skipped where nobody has built it: test/go/run.py says where it is.
func newC(t *testing.T, args ...string) *cpeer {
	t.TempDir() // as in newNode
	path := os.Getenv("LEAT_GO_PEER")
	if path == "" {
		t.Skip("LEAT_GO_PEER is not set: make test ONLY=check/go")
	}
	cmd := exec.Command(path, args...)
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	cmd.Stderr = os.Stderr
	must(t, cmd.Start())
	c := &cpeer{t: t, in: in, wait: map[string]chan string{}, causes: make(chan string, 8)}
	over := make(chan bool)
	go func() {
		defer close(over)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			id, rest, _ := strings.Cut(lines.Text(), " ")
			if strings.HasPrefix(rest, "cause ") {
				c.causes <- rest[6:]
				continue
			}
			c.mu.Lock()
			ch := c.wait[id]
			c.mu.Unlock()
			if ch != nil {
				ch <- rest
			}
		}
	}()
	t.Cleanup(func() {
		fmt.Fprintln(in, "0 leave")
		select {
		case <-over:
		case <-time.After(10 * time.Second):
			t.Error("the C side does not end")
			_ = cmd.Process.Kill()
		}
		_ = cmd.Wait()
	})
	return c
}

// An outcome is how a command ended: its error, why, a number, and the detail.
type outcome struct {
	err, why string
	n        int
	detail   string
}

func (c *cpeer) begin(format string, args ...any) <-chan string {
	c.mu.Lock()
	c.next++
	id, ch := fmt.Sprint(c.next), make(chan string, 1)
	c.wait[id] = ch
	c.mu.Unlock()
	fmt.Fprintf(c.in, "%s %s\n", id, fmt.Sprintf(format, args...))
	return ch
}

func (c *cpeer) end(ch <-chan string) (o outcome) {
	c.t.Helper()
	select {
	case line := <-ch:
		_, _ = fmt.Sscanf(line, "%s %s %d", &o.err, &o.why, &o.n)
		o.detail = strings.SplitN(line, " ", 4)[3]
	case <-time.After(60 * time.Second):
		c.t.Fatal("the C side does not answer")
	}
	return o
}

func (c *cpeer) do(format string, args ...any) outcome {
	c.t.Helper()
	return c.end(c.begin(format, args...))
}

// ok is a command that ends well; its number.
func (c *cpeer) ok(format string, args ...any) outcome {
	c.t.Helper()
	return c.good(c.begin(format, args...))
}

func (c *cpeer) good(ch <-chan string) outcome {
	c.t.Helper()
	o := c.end(ch)
	if o.err != "OK" {
		c.t.Fatalf("the C side: %+v", o)
	}
	return o
}

func (c *cpeer) fails(code Code, ch <-chan string) outcome {
	c.t.Helper()
	o := c.end(ch)
	if o.err != code.String() {
		c.t.Fatalf("the C side: %+v, not %v", o, code)
	}
	return o
}

// address is where a node of a test listens: over a Unix socket, or over TCP if LEAT_GO_NETWORK says so.
func address(t *testing.T, name string) string {
	if os.Getenv("LEAT_GO_NETWORK") == "tcp" {
		return "tcp://127.0.0.1:0"
	}
	return "unix:" + filepath.Join(t.TempDir(), name)
}

// joined is a Go node and a C node with a session that the one has dialed or the other.
func withC(t *testing.T, o Options, goDials bool) (*Node, *Peer, *cpeer) {
	t.Helper()
	if o.Name == "" {
		o.Name = "go"
	}
	c := newC(t)
	n := newNode(t, o)
	if goDials {
		url := c.ok("listen %s", address(t, "c")).detail
		p, err := n.Dial(within(t), url)
		must(t, err)
		return n, p, c
	}
	must(t, n.Listen(address(t, "n")))
	c.ok("dial %s", n.URL())
	n.lock()
	defer n.unlock()
	for p := range n.peers {
		return n, p, c
	}
	t.Fatal("no session")
	return nil, nil, nil
}

// bothWays runs a test with either side as the dialer.
func bothWays(t *testing.T, f func(t *testing.T, n *Node, p *Peer, c *cpeer)) {
	for _, goDials := range []bool{true, false} {
		t.Run(map[bool]string{true: "go_dials", false: "c_dials"}[goDials], func(t *testing.T) {
			n, p, c := withC(t, Options{}, goDials)
			f(t, n, p, c)
		})
	}
}

func TestCSendsToGoAtEveryCapacity(t *testing.T) {
	for _, capacity := range []int{0, 1, 5, 300} {
		t.Run(fmt.Sprint(capacity), func(t *testing.T) {
			n, _, c := withC(t, Options{}, false)
			tx, rx, err := Make[mark](n, capacity)
			must(t, err)
			must(t, n.Export("marks", tx))
			c.ok("import-tx marks 1")
			tx.Finish()
			n.Unexport("marks")
			sent := c.begin("many 1 0 400")
			for i := 0; i < 400; i++ {
				v, err := rx.Recv(within(t))
				if must(t, err); v.N != int32(i) {
					t.Fatal(v, i)
				}
			}
			c.good(sent)
			c.ok("flush 1")
			c.ok("finish 1")
			_, err = rx.Recv(within(t))
			wants(t, err, Closed)
		})
	}
}

func TestGoSendsToCAtEveryCapacity(t *testing.T) {
	for _, capacity := range []int{0, 1, 5, 300} {
		t.Run(fmt.Sprint(capacity), func(t *testing.T) {
			_, p, c := withC(t, Options{}, true)
			ctx := within(t)
			c.ok("make 1 %d", capacity)
			c.ok("export-tx marks 1")
			tx, err := ImportTx[mark](ctx, p, "marks")
			must(t, err)
			c.ok("drop 1")
			c.ok("unexport marks")
			got := c.begin("all 1")
			for i := 0; i < 400; i++ {
				must(t, tx.Send(ctx, mark{int32(i)}))
			}
			must(t, tx.Flush(ctx))
			tx.Finish()
			if o := c.good(got); o.n != 400 {
				t.Fatal(o)
			}
		})
	}
}

func TestReceiveEndsMoveBothWays(t *testing.T) {
	for _, capacity := range []int{0, 3} {
		t.Run(fmt.Sprint(capacity), func(t *testing.T) {
			n, p, c := withC(t, Options{}, true)
			ctx := within(t)
			c.ok("make 1 %d", capacity)
			sent := c.begin("many 1 0 50")
			c.ok("export-rx marks 1")
			rx, err := ImportRx[mark](ctx, p, "marks")
			must(t, err)
			for i := 0; i < 20; i++ {
				v, err := rx.Recv(ctx)
				if must(t, err); v.N != int32(i) {
					t.Fatal(v, i)
				}
			}
			values, ended := rx.Range(ctx)
			for i := 20; i < 50; i++ {
				if v, more := <-values; !more || v.N != int32(i) {
					t.Fatal(v, i, more, ended())
				}
			}
			c.good(sent)
			c.ok("close 1")
			if v, more := <-values; more || ended() != nil {
				t.Fatal(v, more, ended())
			}

			must(t, n.Listen(address(t, "n")))
			c.ok("dial %s", n.URL())
			tx, back, err := Make[mark](n, capacity)
			must(t, err)
			for i := 0; i < capacity; i++ {
				must(t, tx.Send(ctx, mark{int32(i)}))
			}
			must(t, n.Export("back", back))
			c.ok("import-rx back 2")
			got := c.begin("all 2")
			for i := capacity; i < 50; i++ {
				must(t, tx.Send(ctx, mark{int32(i)}))
			}
			tx.Close()
			if o := c.good(got); o.n != 50 {
				t.Fatal(o)
			}
		})
	}
}

type colour int32

func (colour) LeatNames() []EnumName { return []EnumName{{"red", 1}, {"blue", -2}} }

type choice struct {
	Oneof
	Text   string
	Number int64
}

type tree struct {
	N    int32
	Kids []tree
}

type odd struct {
	C    *string `leat:"c,cstr"`
	None *string `leat:"none,cstr"`
	H    string  `leat:"h,chars=8"`
	at   int
}

type all struct {
	B     bool
	I1    int8
	I2    int16
	I4    int32
	I8    int64
	U1    uint8
	U2    uint16
	U4    uint32
	U8    uint64
	F4    float32
	F8    float64
	Text  string
	Raw   []byte
	At    time.Time
	Took  time.Duration
	Err   ErrorValue
	Words []string
	Some  *mark
	None  *mark
	Marks []mark
	By    map[string]mark
	Three [3]int16
	E     colour
	X, Y  choice
	T     tree `leat:"t,tag=7"`
	O     odd
}

func fullValue() all {
	text := "c text"
	return all{true, -1, -2, -3, -4, 1, 2, 3, 1 << 63, 1.5, -0.25, "text, ü", []byte{0, 255}, time.Unix(1e9, 5).UTC(), -7,
		ErrorValue{Refused, "no", "node c", []byte{0, 1}, &ErrorValue{Closed, "", "", nil, &ErrorValue{Code: Limit, Text: "the disk"}}},
		[]string{"a", ""}, &mark{7}, nil, []mark{{1}, {2}}, map[string]mark{"k": {3}, "l": {4}},
		[3]int16{1, -2, 3}, -2, choice{Oneof{1}, "chosen", 0}, choice{Oneof{2}, "", 9},
		tree{1, []tree{{2, nil}, {3, []tree{{4, nil}}}}}, odd{&text, nil, "seven77", 0}}
}

func TestEveryKindOfValueGoesThroughCAndBack(t *testing.T) {
	n, p, c := withC(t, Options{}, true)
	want := fullValue()
	got, err := Call[all](within(t), p, "calc.echo", want)
	must(t, err)
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%+v\nnot %+v", got, want)
	}
	must(t, Serve(n, "calc.echo", func(_ context.Context, in all) (all, error) { return in, nil }))
	must(t, n.Listen(address(t, "n")))
	c.ok("dial %s", n.URL())
	if o := c.ok("echo 0 100"); o.n != 106 {
		t.Fatal(o)
	}
}

func TestALargeValueGoesThroughCAndBackInPieces(t *testing.T) {
	_, p, _ := withC(t, Options{}, true)
	for _, size := range []int{16384, 16385, 70000, 3 << 20} {
		in := fullValue()
		in.Raw = make([]byte, size)
		for i := range in.Raw {
			in.Raw[i] = byte(i * i >> 7)
		}
		small := CallAsync[mark](within(t), p, "calc.twice", mark{4})
		got, err := Call[all](within(t), p, "calc.echo", in)
		if must(t, err); !reflect.DeepEqual(got, in) {
			t.Fatalf("%d bytes come back changed", size)
		}
		if r := <-small; r.Err != nil || r.Value.N != 8 {
			t.Fatal(r)
		}
	}
}

func serveCalc(t *testing.T, n *Node, causes chan<- error) {
	must(t, Serve(n, "calc.twice", func(_ context.Context, in mark) (mark, error) { return mark{2 * in.N}, nil }))
	must(t, Serve(n, "calc.wait", func(ctx context.Context, in mark) (mark, error) {
		<-ctx.Done()
		causes <- Cause(ctx)
		return in, ctx.Err()
	}))
	must(t, Serve(n, "calc.fails", func(_ context.Context, in mark) (mark, error) {
		if in.N < 100 {
			return in, &Error{Code: Code(in.N), Detail: "as it was told"}
		}
		return in, &ErrorValue{Code: Code(in.N - 100), Text: "as it was told", Details: []byte{0, 255, 1},
			Cause: &ErrorValue{Code: Sys, Text: "no room", Node: "n3"}}
	}))
	must(t, Expose(n, "multiply", func(ctx context.Context, j job) error {
		values, ended := j.In.Range(ctx)
		for v := range values {
			if err := j.Out.Send(ctx, mark{v.N * j.N}); err != nil {
				return err
			}
		}
		j.Out.Finish()
		return ended()
	}))
}

func TestCCallsGo(t *testing.T) {
	n, _, c := withC(t, Options{}, false)
	causes := make(chan error, 4)
	serveCalc(t, n, causes)
	for i := 0; i < 20; i++ {
		if o := c.ok("call 0 %d", i); o.n != 2*i {
			t.Fatal(o)
		}
	}
	if o := c.ok("once 0 3"); o.n != 6 {
		t.Fatal(o)
	}
	c.fails(Inval, c.begin("once 0 4"))
	o := c.fails(Inval, c.begin("fails 0 6"))
	if !strings.HasPrefix(o.detail, "go ") || !strings.Contains(o.detail, "as it was told") {
		t.Fatal(o)
	}
	c.fails(Remote, c.begin("fails 0 10"))
	if o = c.fails(Limit, c.begin("fails 0 107")); o.n != 31 { // three bytes of details, and a cause
		t.Fatal(o)
	}
	if o = c.fails(Unknown, c.begin("wait 0 30")); o.why != "DEADLINE" {
		t.Fatal(o)
	}
	if code := CodeOf(<-causes); code != Deadline {
		t.Fatal(code)
	}
}

func TestGoCallsC(t *testing.T) {
	_, p, c := withC(t, Options{}, true)
	ctx := within(t)
	got, err := Call[mark](ctx, p, "calc.twice", mark{21})
	if must(t, err); got.N != 42 {
		t.Fatal(got)
	}
	for i := 0; i < 2; i++ {
		if got, err = CallOnce[mark](ctx, p, "calc.twice", mark{4}, "k"); err != nil || got.N != 8 {
			t.Fatal(got, err)
		}
	}
	_, err = CallOnce[mark](ctx, p, "calc.twice", mark{5}, "k")
	wants(t, err, Inval)
	_, err = Call[mark](ctx, p, "calc.fails", mark{7})
	if wants(t, err, Limit); !strings.Contains(err.Error(), "as it was told") {
		t.Fatal(err)
	}
	_, err = Call[mark](ctx, p, "calc.fails", mark{107})
	var v *ErrorValue
	if wants(t, err, Limit); !errors.As(err, &v) || v.Text != "as it was told" || string(v.Details) != "\x00\xff\x01" || v.Cause == nil {
		t.Fatalf("%v, %+v", err, v)
	}
	if v.Node == "" || v.Cause.Code != Sys || v.Cause.Text != "no room" || v.Cause.Node != "n3" {
		t.Fatalf("%+v, %+v", v, v.Cause)
	}
	_, err = Call[mark](ctx, p, "calc.nothing", mark{})
	wants(t, err, Refused)
	_, err = Call[mark](ctx, p, "calc.twice", struct{ N string }{})
	wants(t, err, TypeErr)
	some, cancel := WithCancel(ctx)
	reply := CallAsync[mark](some, p, "calc.wait", mark{})
	time.Sleep(30 * time.Millisecond)
	cancel(Gone)
	r := <-reply
	wants(t, r.Err, Unknown)
	if cause := <-c.causes; cause != fmt.Sprint(uint8(Gone)) {
		t.Fatal(cause)
	}
}

func TestTasksWithChannelsBothWays(t *testing.T) {
	for _, capacity := range []int{0, 4} {
		t.Run(fmt.Sprint(capacity), func(t *testing.T) {
			n, p, c := withC(t, Options{}, true)
			ctx := within(t)
			inTx, inRx, err := Make[mark](n, capacity)
			must(t, err)
			outTx, outRx, err := Make[mark](n, capacity)
			must(t, err)
			task, err := Start(ctx, p, "multiply", job{3, outTx, inRx})
			must(t, err)
			outTx.Finish()
			in, sent := inTx.Chan(ctx)
			go func() {
				for i := 0; i < 60; i++ {
					in <- mark{int32(i)}
				}
				close(in)
			}()
			for i := 0; i < 60; i++ {
				v, err := outRx.Recv(ctx)
				if must(t, err); v.N != int32(3*i) {
					t.Fatal(v, i)
				}
			}
			_, err = outRx.Recv(ctx)
			wants(t, err, Closed)
			must(t, <-sent)
			must(t, task.Wait())

			serveCalc(t, n, nil)
			must(t, n.Listen(address(t, "n")))
			c.ok("dial %s", n.URL())
			c.ok("make 1 %d", capacity)
			c.ok("make 2 %d", capacity)
			done := c.begin("start 1 2 1")
			got := c.begin("all 1")
			c.ok("many 2 0 60")
			c.ok("close 2")
			c.good(done)
			c.ok("finish 1")
			if o := c.good(got); o.n != 60 {
				t.Fatal(o)
			}
		})
	}
}

// A cutter stands between two nodes and breaks their links.
type cutter struct {
	l     net.Listener
	to    string
	mu    sync.Mutex
	conns []net.Conn
	shut  bool
	cuts  int // links are cut by themselves after so many bytes; 0: never
}

// newCutter is made before the nodes, so that it goes after them: a session whose link is down when its node is closed makes another.
func newCutter(t *testing.T, network string) *cutter {
	t.TempDir() // as in newNode
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	x := &cutter{l: l}
	go func() {
		for {
			a, err := l.Accept()
			if err != nil {
				return
			}
			x.mu.Lock()
			to := x.to
			x.mu.Unlock()
			b, err := net.Dial(network, to)
			if err != nil {
				_ = a.Close()
				continue
			}
			x.mu.Lock()
			x.conns = append(x.conns, a, b)
			limit := int64(x.cuts)
			x.mu.Unlock()
			pump := func(to, from net.Conn) {
				if limit > 0 {
					_, _ = io.CopyN(to, from, limit)
				} else {
					_, _ = io.Copy(to, from)
				}
				_, _ = to.Close(), from.Close()
			}
			go pump(a, b)
			go pump(b, a)
		}
	}()
	t.Cleanup(func() { _ = l.Close(); x.cut() })
	return x
}

func (x *cutter) leadTo(addr string) {
	x.mu.Lock()
	x.to = addr
	x.mu.Unlock()
}

func (x *cutter) url() string { return "tcp://" + x.l.Addr().String() }

func (x *cutter) cut() {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, c := range x.conns {
		_ = c.Close()
	}
	x.conns = nil
}
