package leat

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

const talksFolder = "../../test/wire/"

// A player has a conversation of test/wire/talk with a Go node: it is the peer of the script, and does what the script says the node's
// program does.
type player struct {
	t    *testing.T
	ctx  context.Context
	n    *Node
	l    net.Listener
	conn net.Conn
	peer *Peer
	tx   Tx[mark] // of the channel whose home is the node
	rx   Rx[mark]
	far  Tx[mark]
	ops  []chan outcomeOf
	way  *Peer // another node's, to which this one is a relay
	last Tx[mark]
	any  []byte // what the last ?? were
	more uint64 // frames that the script does not have: credits are lent as a home likes
}

type outcomeOf struct {
	err error
	n   int32
}

// A part is what one side says: its bytes, and which may be any.
type part struct {
	way   byte
	title string
	b     []byte
	any   []bool
	line  int
}

func TestGoldenTalks(t *testing.T) {
	paths, _ := filepath.Glob(talksFolder + "talk/*.txt")
	if len(paths) < 20 {
		t.Fatalf("only %d talks", len(paths))
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		must(t, err)
		name := strings.TrimSuffix(filepath.Base(path), ".txt")
		t.Run(name, func(t *testing.T) { play(t, name, string(text)) })
	}
}

func play(t *testing.T, name, script string) {
	o := Options{Name: "n", Idle: 100 * time.Second, Patience: 100 * time.Second}
	if name == "silent" {
		o.Idle = 50 * time.Millisecond
	}
	n := newNode(t, o)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	p := &player{t: t, ctx: within(t), n: n, l: l}
	t.Cleanup(func() {
		_ = l.Close()
		if p.conn != nil {
			_ = p.conn.Close()
		}
		for _, s := range n.all() {
			kill(s)
		}
	})
	var now *part
	for at, line := range strings.Split(script, "\n") {
		if line == "" || !strings.ContainsRune("<>!", rune(line[0])) {
			if now != nil {
				p.bytesOf(now, line)
			}
			continue
		}
		p.perform(now)
		if now = nil; line[0] == '!' {
			p.act(strings.Fields(line[1:]))
		} else {
			now = &part{way: line[0], title: line[1:], line: at + 1}
		}
	}
	p.perform(now)
}

func (n *Node) all() (list []*Peer) {
	n.lock()
	defer n.unlock()
	for s := range n.peers {
		list = append(list, s)
	}
	return list
}

func (p *player) bytesOf(now *part, line string) {
	line, _, _ = strings.Cut(line, "|")
	line, _, _ = strings.Cut(line, "#")
	for _, x := range strings.Fields(line) {
		switch x {
		case "??":
			now.b, now.any = append(now.b, 0), append(now.any, true)
		case "@@":
			now.b, now.any = append(now.b, p.any[0]), append(now.any, false)
			p.any = p.any[1:]
		default:
			b, err := hex.DecodeString(x)
			must(p.t, err)
			now.b, now.any = append(now.b, b...), append(now.any, false)
		}
	}
}

func (p *player) perform(now *part) {
	switch {
	case now == nil:
	case now.way == '>':
		_, err := p.conn.Write(now.b)
		must(p.t, err)
	case strings.Contains(now.title, "PREAMBLE"):
		p.compare(now, p.read(16))
	default:
		p.frame(now)
	}
}

func (p *player) read(n int) []byte {
	b := make([]byte, n)
	_ = p.conn.SetReadDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.ReadFull(p.conn, b); err != nil {
		p.t.Fatalf("the node says no more: %v", err)
	}
	return b
}

// frame reads a frame of the node and compares it, but for words for people, and for credits that it lends when it likes.
func (p *player) frame(now *part) {
	for {
		b := p.read(headerLen)
		b = append(b, p.read(int(r32(b, 0)))...)
		kind := b[4]
		if kind != now.b[4] && (kind == kGrant || kind == kAck) {
			if kind == kGrant {
				p.more++
			}
			continue
		}
		if kind >= numbered && len(now.b) >= 24 && kind == now.b[4] {
			want := putNumber(now.b[8:16], p.more)
			copy(now.b[8:], want)
			if r64(b, 16) < r64(now.b, 16) {
				copy(now.b[16:24], b[16:24]) // what the program does may be quicker than the frames behind an element
			}
		}
		if kind == now.b[4] && (kind == kDead && b[8] != 0 || kind == kAttached && b[25] != 0 || kind == kResult && b[25] == 8) {
			b, now.b = b[4:9], now.b[4:9] // a code, and words
		}
		if kind == kTorn && now.b[4] == kTorn {
			b, now.b = b[4:25], now.b[4:25]
		}
		p.compare(now, b)
		return
	}
}

func putNumber(b []byte, more uint64) []byte { return put64(nil, r64(b, 0)+more) }

func (p *player) compare(now *part, b []byte) {
	p.t.Helper()
	same := len(b) == len(now.b)
	var got []byte
	for i := 0; same && i < len(b); i++ {
		if now.any[i] {
			got = append(got, b[i])
		} else if b[i] != now.b[i] {
			same = false
		}
	}
	if !same {
		p.t.Fatalf("line %d,%s:\n%x\nnot\n%x", now.line, now.title, b, now.b)
	}
	if len(got) >= 16 {
		p.any = got[len(got)-16:]
	}
}

// -- the node's program ------------------------------------------------------------------------------------------------------------

func number(words []string, at int) (n int) {
	if at < len(words) {
		_, _ = fmt.Sscan(words[at], &n)
	}
	return n
}

func (p *player) act(words []string) {
	arg := number(words, 1)
	var err error
	switch words[0] {
	case "listen":
		must(p.t, p.n.Listen("tcp://127.0.0.1:0"))
		p.conn, err = net.Dial("tcp", strings.TrimPrefix(p.n.URL(), "tcp://"))
	case "cut":
		_ = p.conn.Close()
		p.conn, err = net.Dial("tcp", strings.TrimPrefix(p.n.URL(), "tcp://"))
	case "wait-dial":
		p.conn, err = p.l.Accept()
	case "export":
		p.tx, p.rx, err = Make[mark](p.n, arg)
		must(p.t, p.n.Export("marks", p.tx))
	case "shut":
		p.tx.Close()
	case "serve":
		must(p.t, Serve(p.n, "calc.twice", func(_ context.Context, m mark) (mark, error) { return mark{2 * m.N}, nil }))
		must(p.t, Serve(p.n, "calc.wait", func(ctx context.Context, m mark) (mark, error) { <-ctx.Done(); return m, ctx.Err() }))
		must(p.t, Expose(p.n, "doubled", func(_ context.Context, m mark) error { return nil }))
	case "close":
		p.far.Close()
	case "drop":
		p.far.Finish()
	case "gone":
		p.rx.Release()
	case "follow":
		p.follow()
	case "follower-dies":
		kill(p.way)
	case "ends":
		p.ends(Code(arg), words)
	default:
		ch := make(chan outcomeOf, 1)
		p.ops = append(p.ops, ch)
		go func() { ch <- p.run(words[0], int32(arg)) }()
	}
	must(p.t, err)
}

// follow has another node take the end that this one has imported.
func (p *player) follow() {
	must(p.t, p.n.Listen("tcp://127.0.0.1:0"))
	must(p.t, p.n.Export("way", p.far))
	q := newNode(p.t, Options{Name: "q"})
	var err error
	p.way, err = q.Dial(p.ctx, p.n.URL())
	must(p.t, err)
	p.last, err = ImportTx[mark](p.ctx, p.way, "way")
	must(p.t, err)
}

func (p *player) ends(code Code, words []string) {
	select {
	case o := <-p.ops[0]:
		if CodeOf(o.err) != code || len(words) > 2 && o.n != int32(number(words, 2)) {
			p.t.Fatalf("it ended with %v and %d, not %q", o.err, o.n, words)
		}
	case <-time.After(30 * time.Second):
		p.t.Fatalf("it does not end: %q", words)
	}
	p.ops = p.ops[1:]
}

func (p *player) run(what string, n int32) (o outcomeOf) {
	ctx := p.ctx
	short, stop := context.WithTimeout(ctx, 30*time.Millisecond)
	defer stop()
	m := mark{n}
	switch what {
	case "dial":
		p.peer, o.err = p.n.Dial(ctx, "tcp://"+p.l.Addr().String())
	case "import":
		p.far, o.err = ImportTx[mark](ctx, p.peer, "marks")
	case "recv":
		m, o.err = p.rx.Recv(ctx)
	case "select":
		_, quiet, _ := Make[mark](p.n, 0)
		_, o.err = Select(ctx, p.far.OnSend(m), quiet.OnRecv(&m))
	case "flush":
		o.err = p.far.Flush(ctx)
	case "send":
		o.err = p.far.Send(ctx, m)
	case "follower-send":
		o.err = p.last.Send(ctx, m)
	case "try":
		o.err = p.far.TrySend(m)
	case "send-and-leave":
		o.err = p.far.Send(short, m)
	case "call":
		m, o.err = Call[mark](ctx, p.peer, "calc.twice", m)
	case "call-and-leave":
		m, o.err = Call[mark](short, p.peer, "calc.wait", m)
	case "leave":
		o.err = p.n.Close(ctx)
	default:
		o.err = fmt.Errorf("no act %s", what)
	}
	o.n = m.N
	return o
}

// -- golden values -----------------------------------------------------------------------------------------------------------------

type goldenNumbers struct {
	B  bool
	I1 int8
	I2 int16
	I4 int32
	I8 int64
	U1 uint8
	U2 uint16
	U4 uint32
	U8 uint64
	F4 float32
	F8 float64
	A  [3]int16
}
type goldenTexts struct {
	S    string
	B    []byte
	C    *string  `leat:"c,cstr"`
	None *string  `leat:"none,cstr"`
	H    string   `leat:"h,chars=8"`
	L    []string `leat:"l,tag=7"`
}
type goldenTimes struct {
	D time.Time
	W time.Duration
	E ErrorValue
}
type goldenErrors struct{ Why, Plain ErrorValue }
type goldenNested struct {
	In   mark
	O, P *mark
	L    []mark
	M    map[string]mark
	E    colour
	X, Y choice
}
type goldenEnds struct {
	Out Tx[mark]
	In  Rx[mark]
}

// TestGoldenValues reads and writes the types and values of test/wire/values.txt.
func TestGoldenValues(t *testing.T) {
	text, err := os.ReadFile(talksFolder + "values.txt")
	must(t, err)
	types := map[string]any{"numbers": goldenNumbers{}, "texts": goldenTexts{}, "times": goldenTimes{}, "nested": goldenNested{},
		"errors": goldenErrors{}, "tree": tree{}, "ends": goldenEnds{}}
	for _, section := range strings.Split("\n"+string(text), "\n! ")[1:] {
		name, rest, _ := strings.Cut(section, "\n")
		example := types[name]
		if example == nil {
			t.Errorf("%s has no type here", name)
			continue
		}
		got := map[string][]byte{}
		what := ""
		for _, line := range strings.Split(rest, "\n") {
			if line == "form" || line == "print" || line == "value" {
				what = line
			} else if !strings.HasPrefix(line, "=") {
				line, _, _ = strings.Cut(line, "|")
				b, err := hex.DecodeString(strings.ReplaceAll(line, " ", ""))
				must(t, err)
				got[what] = append(got[what], b...)
			}
		}
		d, err := describe(reflect.TypeOf(example))
		must(t, err)
		if !bytes.Equal(d.form, got["form"]) || !bytes.Equal(d.print[:], got["print"]) {
			t.Fatalf("%s: the form is\n%x, not\n%x; %x", name, d.form, got["form"], d.print)
		}
		if _, err := readForm(got["form"]); err != nil {
			t.Fatal(name, err)
		}
		v := reflect.New(d.rt).Elem()
		must(t, decode(d, got["value"], nil, v))
		b, err := encode(d, v)
		must(t, err)
		if !bytes.Equal(b, got["value"]) {
			t.Fatalf("%s: %+v is written as\n%x, not\n%x", name, v, b, got["value"])
		}
		for cut := 0; cut < len(b); cut++ {
			if decode(d, b[:cut], nil, reflect.New(d.rt).Elem()) == nil {
				t.Fatalf("%s: cut at %d it is taken", name, cut)
			}
		}
	}
}
