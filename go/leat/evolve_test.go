package leat

import (
	"context"
	"errors"
	"reflect"
	"testing"
)

// A newer program has more in a mark, and a wider number.
type newMark struct {
	Note string
	N    int64
	Tags []string
}

func anotherType(t *testing.T, seen *tally, o Options) {
	n, p, c := withC(t, o, true)
	ctx := within(t)
	c.ok("make 1 2")
	c.ok("export-tx marks 1")
	type noted struct {
		N    int32
		Note string
	}
	tx, err := ImportTx[noted](ctx, p, "marks") // C reads what it knows of it
	must(t, err)
	must(t, tx.Send(ctx, noted{7, "a note"}))
	if o := c.ok("recv 1"); o.n != 7 {
		t.Fatal(o)
	}
	tx.Finish()
	seen.until(t, "to C TYPE")
	c.ok("make 2 3")
	c.ok("send 2 5")
	c.ok("export-rx more 2")
	rx, err := ImportRx[newMark](ctx, p, "more") // an int32 is read as an int64
	must(t, err)
	c.ok("send 2 6")
	for i := int64(5); i < 7; i++ {
		if v, err := rx.Recv(ctx); err != nil || v.N != i {
			t.Fatal(v, err)
		}
	}
	must(t, n.Listen(address(t, "n")))
	c.ok("dial %s", n.URL())
	for _, capacity := range []int{0, 2} {
		mine, far, err := Make[newMark](n, capacity)
		must(t, err)
		name := []string{"none", "", "two"}[capacity]
		must(t, n.Export(name, mine))
		c.ok("import-tx %s 3", name)
		sent := c.begin("send 3 9")
		if v, err := far.Recv(ctx); err != nil || v.N != 9 {
			t.Fatal(v, err)
		}
		c.good(sent)
	}
	seen.until(t, "from C TYPE")
}

func TestCallsCrossTypesWithC(t *testing.T) {
	n, p, c := withC(t, Options{}, true)
	ctx := within(t)
	for i := 0; i < 2; i++ {
		got, err := Call[newMark](ctx, p, "calc.twice", struct {
			N    int16
			More []string
		}{21, []string{"x"}})
		if must(t, err); got.N != 42 {
			t.Fatal(got)
		}
	}
	must(t, Serve(n, "calc.twice", func(_ context.Context, in newMark) (mark, error) { return mark{int32(2 * in.N)}, nil }))
	must(t, n.Listen(address(t, "n")))
	c.ok("dial %s", n.URL())
	for i := 0; i < 2; i++ {
		if o := c.ok("call 0 %d", i+4); o.n != 2*i+8 {
			t.Fatal(o)
		}
	}
}

type oldInner struct {
	ID  int16
	Old string `leat:"old,tag=4"`
}
type newInner struct {
	New string `leat:"new,tag=4"`
	ID  int64
}
type oldEnum int32
type newEnum int32

func (oldEnum) LeatNames() []EnumName { return []EnumName{{"a", 1}} }
func (newEnum) LeatNames() []EnumName { return []EnumName{{"a", 1}, {"b", 2}} }

type oldChoice struct {
	Oneof
	A int32
	B string
}
type newChoice struct {
	Oneof
	B string
	C int64
	A int64
}
type oldAll struct {
	In    oldInner
	Many  []oldInner
	By    map[string]oldInner
	Opt   *oldInner
	Plain oldInner
	Three [3]int16
	Text  string `leat:"text,chars=8"`
	Raw   string
	C     *string `leat:"c,cstr"`
	E     oldEnum
	X     oldChoice
	Gone  []map[string]*oldInner
	Kids  []oldAll
	F     float32
	U     uint16
	Out   Tx[mark]
}
type newAll struct {
	Kids  []newAll
	F     float64
	U     int32
	In    newInner
	Many  []newInner
	By    map[string]newInner
	Opt   newInner
	Plain *newInner
	Three [5]int64
	Text  string
	Raw   []byte
	C     string
	E     newEnum
	X     newChoice
	More  *newInner
}

func TestAValueIsReadByTheNamesOfItsFields(t *testing.T) {
	c := "c"
	old := oldAll{In: oldInner{1, "one"}, Many: []oldInner{{2, ""}}, By: map[string]oldInner{"k": {3, ""}}, Opt: &oldInner{4, "four"},
		Plain: oldInner{5, ""}, Three: [3]int16{-1, 0, 1}, Text: "text", Raw: "raw", C: &c, E: 1, X: oldChoice{Oneof{1}, -7, ""},
		Gone: []map[string]*oldInner{{"x": nil, "y": {}}}, Kids: []oldAll{{F: 1.5, C: &c}}, F: -2, U: 65535}
	want := newAll{In: newInner{"one", 1}, Many: []newInner{{"", 2}}, By: map[string]newInner{"k": {"", 3}}, Opt: newInner{"four", 4},
		Plain: &newInner{"", 5}, Three: [5]int64{-1, 0, 1}, Text: "text", Raw: []byte("raw"), C: "c", E: 1,
		X: newChoice{Oneof: Oneof{3}, A: -7}, Kids: []newAll{{F: 1.5, C: "c", Plain: &newInner{}}}, F: -2, U: 65535}
	w, err := describe(reflect.TypeOf(old))
	must(t, err)
	r, err := describe(reflect.TypeOf(want))
	must(t, err)
	b, err := encode(w, reflect.ValueOf(&old).Elem())
	must(t, err)
	by, berr := bridgeTo(w.form, r)
	if berr != nil {
		t.Fatal(berr)
	}
	got := newAll{}
	must(t, decodeAs(by, r, b, nil, reflect.ValueOf(&got).Elem()))
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%+v\nnot %+v", got, want)
	}
	for cut := 0; cut < len(b); cut++ {
		if decodeAs(by, r, b[:cut], nil, reflect.New(r.rt).Elem()) == nil {
			t.Fatalf("cut at %d it is taken", cut)
		}
	}
	if _, err := bridgeTo(r.form, w); err == nil {
		t.Fatal("a number is narrowed")
	}
}

// Types whose forms are too long for one frame: of C they are what is here without Extra.
type leaf struct{ Alpha, Beta, Gamma, Delta, Epsilon int32 }
type twig struct{ A, B, C, D, E, F leaf }
type bough struct{ A, B, C, D, E, F twig }
type crown struct{ A, B, C, D, E, F bough }
type forest struct {
	A, B, C, D crown
	Extra      string
}

func oneForest(n int32) (f forest) {
	f.D.F.F.F.Epsilon, f.Extra = n, "more"
	return f
}

func longForms(t *testing.T, seen *tally, o Options) {
	n, p, c := withC(t, o, true)
	ctx := within(t)
	for i := int32(0); i < 3; i++ {
		got, err := Call[forest](ctx, p, "woods.grow", oneForest(i))
		if must(t, err); got != func() forest { f := oneForest(i + 1); f.Extra = ""; return f }() {
			t.Fatal(got.D.F.F.F, got.Extra)
		}
	}
	seen.until(t, "to C FORM")
	seen.until(t, "from C FORM")
	tx, err := ImportTx[forest](ctx, p, "forests")
	must(t, err)
	must(t, tx.Send(ctx, oneForest(5)))
	if o := c.ok("forest 0 0"); o.n != 5 {
		t.Fatal(o)
	}
	for i := int32(7); i < 9; i++ {
		task, err := Start(ctx, p, "plant", oneForest(i))
		must(t, err)
		must(t, task.Wait())
		if o := c.ok("forest 0 0"); o.n != int(i) {
			t.Fatal(o)
		}
	}
	must(t, Serve(n, "woods.grow", func(_ context.Context, in forest) (forest, error) { return oneForest(in.D.F.F.F.Epsilon * 2), nil }))
	out, in, err := Make[forest](n, 1)
	must(t, err)
	must(t, n.Export("planted", out))
	must(t, n.Listen(address(t, "n")))
	c.ok("dial %s", n.URL())
	for i := 4; i < 6; i++ {
		if o := c.ok("grow 0 %d", i); o.n != 2*i {
			t.Fatal(o)
		}
	}
	c.ok("plant planted")
	if v, err := in.Recv(ctx); err != nil || v.D.F.F.F.Epsilon != 20 || v.Extra != "" {
		t.Fatal(v.D.F.F.F, err)
	}
}

// A receive end goes once, so the first call with one asks for the types before.
func TestAReceiveEndArrivesWithTheFirstCallToAProgramOfOtherTypes(t *testing.T) {
	type purse struct {
		N     int32
		Coins Rx[mark]
	}
	type newPurse struct {
		Coins Rx[newMark]
		N     int64
		Fresh bool
	}
	type newSum struct {
		Note string
		C    int32
	}
	a, _, p := pair(t)
	ctx := within(t)
	ran := 0
	must(t, Serve(a, "bank.count", func(ctx context.Context, in newPurse) (out newSum, err error) {
		ran++
		for {
			v, err := in.Coins.Recv(ctx)
			if errors.Is(err, Closed) {
				return out, nil
			} else if err != nil {
				return out, err
			}
			out.C += int32(v.N)
		}
	}))
	for i := 0; i < 3; i++ {
		tx, rx, err := Make[mark](p.n, 3)
		must(t, err)
		must(t, tx.Send(ctx, mark{4}))
		must(t, tx.Send(ctx, mark{5}))
		_, err = Call[struct{ C string }](ctx, p, "bank.count", purse{2, rx}) // no result is of that type
		wants(t, err, TypeErr)
		_, err = Call[sum](ctx, p, "bank.none", purse{2, rx})
		wants(t, err, Refused)
		if rx.Len() != 2 || ran != i {
			t.Fatal("what was refused took the end along", rx.Len(), ran)
		}
		reply := CallAsync[sum](ctx, p, "bank.count", purse{2, rx})
		must(t, tx.Send(ctx, mark{6}))
		tx.Close()
		if r := <-reply; r.Err != nil || r.Value.C != 15 {
			t.Fatal(r)
		}
	}
}
