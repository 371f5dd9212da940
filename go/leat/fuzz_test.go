package leat

import (
	"context"
	"encoding/hex"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"
)

// talkBytes is what the peer says in each golden talk, behind its hello: frames.
func talkBytes(t testing.TB) (all [][]byte) {
	paths, _ := filepath.Glob(talksFolder + "talk/*.txt")
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var b []byte
		way := byte(0)
		for _, line := range strings.Split(string(text), "\n") {
			if line == "" || strings.ContainsRune("<>!", rune(line[0])) {
				if line != "" {
					way = line[0]
				}
				continue
			}
			line, _, _ = strings.Cut(line, "|")
			x, err := hex.DecodeString(strings.NewReplacer(" ", "", "@@", "00").Replace(line))
			if err == nil && way == '>' {
				b = append(b, x...)
			}
		}
		if len(b) > 16 {
			b = b[16:]
			if skip := headerLen + int(r32(b, 0)); skip < len(b) {
				all = append(all, b[skip:])
			}
		}
	}
	return all
}

// A victim is a node with a bit of everything, and one session whose peer says what the fuzzer likes.
type victim struct {
	n    *Node
	s    *Peer
	l    *link
	stop func()
}

func newVictim(dialed bool) *victim {
	n := Must(Open(Options{Name: "v"}))
	s := newPeer(n, dialed, 1)
	s.name, s.peerLimits = "hostile", ourLimits
	n.peers[s] = true
	l := &link{s: s, next: 1, kick: make(chan struct{}, 1)}
	s.link = l
	ctx, cancel := context.WithCancel(context.Background())
	v := &victim{n, s, l, cancel}
	for _, capacity := range []int{0, 2} {
		tx, rx, _ := Make[mark](n, capacity)
		_ = n.Export([]string{"marks", "x", "two"}[capacity], tx)
		go func() {
			for _, err := rx.Recv(ctx); err == nil; _, err = rx.Recv(ctx) {
			}
		}()
		jobs, jobsRx, _ := Make[job](n, capacity)
		_ = n.Export([]string{"jobs", "x", "jobs2"}[capacity], jobs)
		go func() {
			for j, err := jobsRx.Recv(ctx); err == nil; j, err = jobsRx.Recv(ctx) {
				_ = j.Out.TrySend(mark{1})
				_, _ = j.In.TryRecv()
				j.Out.Finish()
				j.In.Release()
			}
		}()
		_, queued, _ := Make[mark](n, capacity)
		_ = n.Export([]string{"rx", "x", "rx2"}[capacity], queued)
	}
	_ = Serve(n, "calc.twice", func(_ context.Context, m mark) (mark, error) { return m, nil })
	_ = Serve(n, "calc.wait", func(ctx context.Context, m mark) (mark, error) { <-ctx.Done(); return m, ctx.Err() })
	_ = Serve(n, "calc.echo", func(_ context.Context, a all) (all, error) { return a, nil })
	_ = Expose(n, "work", func(_ context.Context, j job) error { j.Out.Finish(); j.In.Release(); return nil })
	return v
}

// asks has the node use the session as a site, so that what a home says meets something.
func (v *victim) asks() {
	d, _ := describe(reflect.TypeOf(mark{}))
	for _, capacity := range []int{0, 2} {
		id, _ := v.s.takeEndID()
		c := newChannel(v.n, d, capacity)
		c.up = v.s.newEnd(id, c, true)
		c.up.attached = true
		tx := Tx[mark]{c.newHandle(false)}
		for i := 0; i < 6; i++ {
			op := newOperation(v.n)
			op.sel, op.try = i%3 == 1, i%3 == 2
			op.begin([]Case{tx.OnSend(mark{int32(i)})})
		}
		v.s.n.settle()
	}
	jd, _ := describe(reflect.TypeOf(job{}))
	for _, capacity := range []int{0, 2} {
		id, _ := v.s.takeEndID()
		c := newChannel(v.n, jd, capacity)
		c.up = v.s.newEnd(id, c, true)
		c.up.attached = true
		h := c.newHandle(false)
		for i := 0; i < 3; i++ {
			out, in := newChannel(v.n, d, 2), newChannel(v.n, d, capacity)
			j := job{int32(i), Tx[mark]{out.newHandle(false)}, Rx[mark]{in.newHandle(true)}}
			in.handles = 1
			newOperation(v.n).begin([]Case{Tx[job]{h}.OnSend(j)})
		}
		v.s.n.settle()
		x := &call{name: "a.b", in: d, outD: d}
		v.s.n.mu.Unlock()
		_ = v.s.open(context.Background(), x, reflect.ValueOf(mark{1}))
		v.s.n.mu.Lock()
	}
}

// hears takes frames: their numbers are made right, and everything else is as it comes.
func (v *victim) hears(b []byte) {
	for len(b) >= headerLen && !v.s.over {
		length := int(r32(b, 0)) & 0xffff
		kind, flags := b[4], b[5]
		b = b[headerLen:]
		if length > len(b) {
			length = len(b)
		}
		fields := append([]byte(nil), b[:length]...)
		b = b[length:]
		v.n.lock()
		if kind >= numbered && len(fields) >= 16 {
			fields = append(put64(put64(nil, v.s.inNum+1), v.s.outNum), fields[16:]...)
		}
		if v.s.link == v.l {
			if err := v.s.frame(v.l, kind, flags, fields); err != nil && err != errGap {
				v.s.fatal(kind, err)
			}
		}
		v.n.settle()
		if v.s.link == v.l {
			v.s.gather(v.l)
		}
		v.n.poked, v.s.pokedNow = nil, false
		v.n.mu.Unlock()
	}
}

func (v *victim) goes() {
	v.n.lock()
	v.s.end(fail(PeerLost, "over"))
	v.n.unlock()
	v.stop()
}

func FuzzFrames(f *testing.F) {
	for _, b := range talkBytes(f) {
		f.Add(b, true)
		f.Add(b, false)
	}
	f.Fuzz(func(t *testing.T, b []byte, dialed bool) {
		v := newVictim(dialed)
		defer v.goes()
		if dialed {
			v.n.lock()
			v.asks()
			v.n.unlock()
			runtime.Gosched()
		}
		v.hears(b)
	})
}

func FuzzForm(f *testing.F) {
	for _, x := range []any{all{}, job{}, goldenNested{}, tree{}} {
		d, _ := describe(reflect.TypeOf(x))
		f.Add(d.form)
	}
	ours, _ := describe(reflect.TypeOf(all{}))
	f.Fuzz(func(t *testing.T, b []byte) {
		w, err := readForm(b)
		if err != nil {
			return
		}
		if again := formOf(w, []byte{1}, nil); string(again) != string(b) {
			t.Fatalf("%x is written again as %x", b, again)
		}
		by, ferr := bridgeOf(w, ours)
		if ferr == nil && by != nil {
			_ = decodeAs(by, ours, b, nil, reflect.New(ours.rt).Elem())
		}
	})
}

func FuzzValue(f *testing.F) {
	d, _ := describe(reflect.TypeOf(all{}))
	full := fullValue()
	b, err := encode(d, reflect.ValueOf(&full).Elem())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		v := reflect.New(d.rt).Elem()
		if decode(d, b, nil, v) != nil {
			return
		}
		again, err := encode(d, v)
		if err != nil {
			t.Fatal(err)
		}
		w := reflect.New(d.rt).Elem()
		if err := decode(d, again, nil, w); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzHello(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	n := Must(Open(Options{Name: "v"}))
	s := newPeer(n, true, 7)
	f.Add(append(append([]byte(nil), preamble[:]...), s.helloFrame()...))
	f.Fuzz(func(t *testing.T, b []byte) {
		kind, fields, _, err := readFirst(strings.NewReader(string(b)))
		if err == nil && kind == kHello {
			_, _ = readHello(fields)
		}
		_, _ = readWelcome(fields)
	})
}

// TestFramesThatAreChangedHarmNobody says the golden talks with a byte changed here and there: a short campaign of FuzzFrames.
func TestFramesThatAreChangedHarmNobody(t *testing.T) {
	seed := uint32(1)
	next := func(n int) int {
		seed = seed*1664525 + 1013904223
		return int(seed>>8) % n
	}
	before := runtime.NumGoroutine()
	for round := 0; round < 12; round++ {
		for i, b := range talkBytes(t) {
			b := append([]byte(nil), b...)
			for k := next(4); k >= 0; k-- {
				b[next(len(b))] = byte(next(256))
			}
			v := newVictim(i%2 == 0)
			if i%2 == 0 {
				v.n.lock()
				v.asks()
				v.n.unlock()
			}
			v.hears(b)
			v.goes()
		}
	}
	for end := time.Now().Add(20 * time.Second); runtime.NumGoroutine() > before+5; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			buf := make([]byte, 1<<16)
			t.Fatalf("%d goroutines are left:\n%s", runtime.NumGoroutine()-before, buf[:runtime.Stack(buf, true)])
		}
	}
}

func TestAValueTakesNoMoreMemoryThanItsBytesPayFor(t *testing.T) {
	type heavy struct {
		L []struct{ A, B, C, D []string }
	}
	d, err := describe(reflect.TypeOf(heavy{}))
	must(t, err)
	v := reflect.New(d.rt).Elem()
	if err := decode(d, putVarint(nil, 1<<40), nil, v); CodeOf(err) != TypeErr {
		t.Fatal(err)
	}
	type empty struct{ L []struct{} }
	if d, err = describe(reflect.TypeOf(empty{})); err != nil {
		t.Fatal(err)
	}
	if err := decode(d, putVarint(nil, 1<<30), nil, reflect.New(d.rt).Elem()); CodeOf(err) != Limit {
		t.Fatal(err)
	}
	type deep struct{ Next *deepInner }
	if d, err = describe(reflect.TypeOf(deep{})); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 5000)
	for i := range b {
		b[i] = 1
	}
	if err := decode(d, b, nil, reflect.New(d.rt).Elem()); CodeOf(err) != Limit {
		t.Fatal(err)
	}
}

type deepInner struct{ Next *deepInner }

// A maker makes frames of choices: fields that make sense, mostly, of ends and calls that are there, mostly.
type maker struct {
	choices []byte
	mark    *desc
	job     *desc
}

func (m *maker) next(n int) int {
	if len(m.choices) == 0 {
		return 0
	}
	c := m.choices[0]
	m.choices = m.choices[1:]
	return int(c) % n
}

var madeKinds = []byte{kAttach, kAttached, kDrop, kTorn, kNeed, kGrant, kNone, kRecall, kReturn, kElem, kElem, kElem, kInvite, kTaken,
	kBusy, kWithdraw, kWithdrawn, kClose, kSeal, kSealed, kFinish, kFlush, kFlushed, kOpen, kResult, kCancel, kDone, kForm, kType}

// record appends the record of an end.
func (m *maker) record(b []byte, rx bool) []byte {
	if m.next(4) == 0 {
		return append(b, 0)
	}
	flags := byte(m.next(4)) & 2
	b = append(b, 1)
	if rx {
		flags = 5
	}
	b = append(putVarint(append(b, flags), uint64(2+m.next(24))), m.mark.print[:]...)
	if flags&2 == 0 {
		b = putVarint(put32(b, uint32(m.next(3))), 0)
	}
	if rx {
		b = putText(append(b, 1), "far")
	}
	return b
}

func (m *maker) withEnds() []byte { return m.record(m.record(put32(nil, 1), false), true) }

func (m *maker) elem(b []byte) []byte {
	what := byte(m.next(5))
	b = append(b, what)
	body := put32(nil, uint32(m.next(9)))
	if m.next(2) == 0 {
		body = m.withEnds()
	}
	if what >= 2 {
		b = putVarint(b, uint64(1+m.next(4)))
	}
	if what == 4 {
		b = putVarint(append(b, make([]byte, 16)...), uint64(m.next(4)))
	}
	if what == 0 {
		b = putVarint(b, uint64(len(body)))
	}
	return append(b, body...)
}

func (m *maker) fields(kind byte, b []byte) []byte {
	switch kind {
	case kAttach:
		name := []string{"marks", "two", "jobs", "jobs2", "rx", "rx2"}[m.next(6)]
		print := m.mark.print
		if strings.HasPrefix(name, "jobs") {
			print = m.job.print
		}
		return putText(append(append(b, boolByte(!strings.HasPrefix(name, "rx"))), print[:]...), name)
	case kAttached:
		return put32(append(b, 0), uint32(m.next(3)))
	case kElem:
		return m.elem(b)
	case kOpen:
		name := []string{"calc.twice", "calc.wait", "work"}[m.next(3)]
		task, print, body := name == "work", m.mark.print, put32(nil, 7)
		if task {
			print, body = m.job.print, m.withEnds()
		}
		b = put64(putText(append(b, boolByte(task)), name), noDeadline)
		b = append(append(b, print[:]...), m.mark.print[:]...)
		return append(putVarint(b, uint64(len(body))), body...)
	case kResult:
		return put32(append(b, 0, 0, 0, 0), 5)
	case kSeal:
		return append(b, []byte{1, 11, 10}[m.next(3)], 1, byte(m.next(3)), 0, 0)
	case kTorn:
		return putText(b, "who")
	case kForm:
		return m.mark.form[m.next(3):]
	case kType:
		return append(b, 1, 0)
	}
	return append(b, byte(m.next(5)), byte(m.next(4)), byte(m.next(3)))
}

func program(choices []byte) (out []byte) {
	m := &maker{choices: choices}
	m.mark, _ = describe(reflect.TypeOf(mark{}))
	m.job, _ = describe(reflect.TypeOf(job{}))
	for len(m.choices) > 0 {
		kind := madeKinds[m.next(len(madeKinds))]
		b := m.fields(kind, putVarint(make([]byte, 16), uint64(2+m.next(8))))
		out = append(append(put32(out, uint32(len(b))), kind, 0, 0, 0), b...)
	}
	return out
}

// preludes are choices that lead somewhere: an end that is attached and has credits, and what is sent on it.
var preludes = [][]byte{
	{0, 1, 1, 4, 1, 2, 0, 0, 9, 1, 0, 5, 1, 9, 1, 1, 5, 1},
	{0, 1, 3, 4, 1, 2, 0, 0, 9, 1, 0, 5, 0, 1, 0, 5, 2, 1, 0, 7, 2},
	{0, 1, 2, 9, 1, 2, 5, 0, 1, 0, 5, 2, 1, 0, 7, 2, 0},
	{0, 1, 5, 23, 1, 2, 1, 0, 5, 2, 1, 0, 7, 2},
	{0, 1, 0, 4, 1, 1, 0, 0},
}

// FuzzProgram is FuzzFrames with frames that make sense.
func FuzzProgram(f *testing.F) {
	for _, b := range preludes {
		f.Add(b, false)
		f.Add(b, true)
	}
	f.Fuzz(func(t *testing.T, b []byte, dialed bool) {
		v := newVictim(dialed)
		defer v.goes()
		if dialed {
			v.n.lock()
			v.asks()
			v.n.unlock()
			runtime.Gosched()
		}
		v.hears(program(b))
	})
}

func TestFramesOfAnyProgramHarmNobody(t *testing.T) {
	seed := uint32(7)
	for round := 0; round < 3000; round++ {
		b := make([]byte, 20+round%80)
		for i := range b {
			seed = seed*1664525 + 1013904223
			b[i] = byte(seed >> 16)
		}
		v := newVictim(round%2 == 0)
		if round%2 == 0 {
			v.n.lock()
			v.asks()
			v.n.unlock()
		}
		if round%3 > 0 {
			b = append(append([]byte(nil), preludes[round%len(preludes)]...), b...)
		}
		v.hears(program(b))
		v.goes()
	}
}
