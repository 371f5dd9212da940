package leat

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

type pairOf struct{ A, B int64 }
type sum struct{ C int64 }
type bulk struct{ Bytes []byte }

func TestTheErrorOfAMethodComesWithItsDetailsAndCauses(t *testing.T) {
	a, _, p := pair(t)
	ctx := within(t)
	full := &ErrorValue{Code: Limit, Text: "no luck", Cause: &ErrorValue{Code: Sys, Text: "no room", Node: "n3", Details: []byte{0, 255}}}
	must(t, Serve(a, "calc.fail", func(_ context.Context, in pairOf) (sum, error) {
		if in.A == 1 {
			return sum{}, fmt.Errorf("in words: %w", full)
		}
		return sum{}, full
	}))
	for i := int64(0); i < 4; i++ {
		var err error
		if i < 2 {
			_, err = Call[sum](ctx, p, "calc.fail", pairOf{A: i})
		} else {
			_, err = CallOnce[sum](ctx, p, "calc.fail", pairOf{}, "key")
		}
		var v *ErrorValue
		if wants(t, err, Limit); !errors.As(err, &v) || v.Node != "a" || v.Text != "no luck" || v.Cause == nil {
			t.Fatalf("%d: %v, %+v", i, err, v)
		}
		if c := v.Cause; c.Code != Sys || c.Text != "no room" || c.Node != "n3" || string(c.Details) != "\x00\xff" || c.Cause != nil {
			t.Fatalf("%d: %+v", i, c)
		}
		if !strings.Contains(err.Error(), "no luck: no room") {
			t.Fatal(err)
		}
	}
}

func TestCallsGiveTheResultOrTheMethodsError(t *testing.T) {
	a, b, p := pair(t)
	ctx := within(t)
	must(t, Serve(a, "calc.add", func(_ context.Context, in pairOf) (sum, error) { return sum{in.A + in.B}, nil }))
	must(t, Serve(a, "calc.div", func(_ context.Context, in pairOf) (sum, error) {
		switch in.B {
		case 0:
			return sum{}, errors.New("divide by zero")
		case 1:
			return sum{}, Inval
		case 2:
			return sum{}, PeerLost
		}
		return sum{in.A / in.B}, nil
	}))
	must(t, Serve(a, "calc.back", func(ctx context.Context, in pairOf) (sum, error) {
		return Call[sum](ctx, PeerOf(ctx), "calc.twice", in)
	}))
	must(t, Serve(b, "calc.twice", func(_ context.Context, in pairOf) (sum, error) { return sum{2 * in.A}, nil }))
	must(t, Serve(a, "calc.echo", func(_ context.Context, in bulk) (bulk, error) { return in, nil }))
	got, err := Call[sum](ctx, p, "calc.add", pairOf{3, 4})
	if must(t, err); got.C != 7 {
		t.Fatal(got)
	}
	if got, err = Call[sum](ctx, p, "calc.back", pairOf{A: 5}); err != nil || got.C != 10 {
		t.Fatal(got, err)
	}
	_, err = Call[sum](ctx, p, "calc.div", pairOf{1, 0})
	if wants(t, err, Remote); !strings.Contains(err.Error(), "a: divide by zero") {
		t.Fatal(err)
	}
	_, err = Call[sum](ctx, p, "calc.div", pairOf{1, 1})
	wants(t, err, Inval)
	_, err = Call[sum](ctx, p, "calc.div", pairOf{1, 2})
	wants(t, err, Remote)
	_, err = Call[sum](ctx, p, "calc.none", pairOf{1, 0})
	wants(t, err, Refused)
	_, err = Call[sum](ctx, p, "calc.add", struct{ A, B string }{})
	if wants(t, err, TypeErr); !strings.Contains(err.Error(), "argument: a: string is written, int64 is read") {
		t.Fatal(err)
	}
	big := bulk{make([]byte, 300000)}
	for i := range big.Bytes {
		big.Bytes[i] = byte(i * i >> 8)
	}
	reply := <-CallAsync[bulk](ctx, p, "calc.echo", big)
	if must(t, reply.Err); string(reply.Value.Bytes) != string(big.Bytes) {
		t.Fatal("another value")
	}
	_, err = Call[bulk](ctx, p, "calc.echo", bulk{make([]byte, 17<<20)})
	wants(t, err, Limit)
}

func TestDeadlinesAndCausesTravel(t *testing.T) {
	a, _, p := pair(t)
	ctx := within(t)
	seen := make(chan error, 1)
	must(t, Serve(a, "calc.wait", func(ctx context.Context, in pairOf) (sum, error) {
		<-ctx.Done()
		seen <- Cause(ctx)
		return sum{}, ctx.Err()
	}))
	short, stop := context.WithTimeout(ctx, 30*time.Millisecond)
	defer stop()
	_, err := Call[sum](short, p, "calc.wait", pairOf{})
	wants(t, err, Unknown)
	if e := new(Error); !errors.As(err, &e) || e.Why != Deadline {
		t.Fatal(err)
	}
	if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || errors.Is(err, Deadline) {
		t.Fatal(err) // the context is over, and that it has not run is not said
	}
	if c := CodeOf(<-seen); c != Deadline {
		t.Fatal(c)
	}
	for _, cause := range []Code{Gone, Limit} {
		some, cancel := WithCancel(ctx)
		reply := CallAsync[sum](some, p, "calc.wait", pairOf{})
		time.Sleep(20 * time.Millisecond)
		cancel(cause)
		r := <-reply
		wants(t, r.Err, Unknown)
		if !errors.Is(r.Err, context.Canceled) || errors.Is(r.Err, context.DeadlineExceeded) {
			t.Fatal(r.Err)
		}
		if c := CodeOf(<-seen); c != cause {
			t.Fatal(c)
		}
	}
	over, cancel := context.WithCancel(ctx)
	cancel()
	_, err = Call[sum](over, p, "calc.wait", pairOf{})
	wants(t, err, Canceled)
}

func TestACallWithAKeyRunsOnce(t *testing.T) {
	a, _, p := pair(t)
	ctx := within(t)
	var runs int64
	must(t, Serve(a, "calc.count", func(_ context.Context, in pairOf) (sum, error) {
		time.Sleep(10 * time.Millisecond)
		return sum{atomic.AddInt64(&runs, 1)}, nil
	}))
	done := make(chan sum)
	for i := 0; i < 4; i++ {
		go func() {
			got, err := CallOnce[sum](ctx, p, "calc.count", pairOf{1, 2}, "key")
			if err != nil {
				t.Error(err)
			}
			done <- got
		}()
	}
	for i := 0; i < 4; i++ {
		if got := <-done; got.C != 1 {
			t.Error(got)
		}
	}
	_, err := CallOnce[sum](ctx, p, "calc.count", pairOf{1, 3}, "key")
	wants(t, err, Inval)
	again, err := CallOnce[sum](ctx, p, "calc.count", pairOf{1, 2}, "other")
	if must(t, err); again.C != 2 {
		t.Fatal(again)
	}
}

type job struct {
	N   int32    `leat:"n"`
	Out Tx[mark] `leat:"out"`
	In  Rx[mark] `leat:"in"`
}

func TestATaskHasBothEndsOfAPipeline(t *testing.T) {
	for _, capacity := range []int{0, 3} {
		a, b, p := pair(t)
		ctx := within(t)
		must(t, Expose(a, "double", func(ctx context.Context, j job) error {
			defer j.Out.Finish()
			for {
				m, err := j.In.Recv(ctx)
				if err != nil {
					if errors.Is(err, Closed) {
						return nil
					}
					return err
				}
				if err := j.Out.Send(ctx, mark{m.N * j.N}); err != nil {
					return err
				}
			}
		}))
		inTx, inRx, err := Make[mark](b, capacity)
		must(t, err)
		outTx, outRx, err := Make[mark](b, capacity)
		must(t, err)
		task, err := Start(ctx, p, "double", job{3, outTx, inRx})
		must(t, err)
		outTx.Finish()
		go func() {
			for i := 0; i < 100; i++ {
				if err := inTx.Send(ctx, mark{int32(i)}); err != nil {
					t.Error(err)
				}
			}
			inTx.Finish()
		}()
		values, ended := outRx.Range(ctx)
		n := int32(0)
		for v := range values {
			if v.N != 3*n {
				t.Fatal(v, n)
			}
			n++
		}
		must(t, ended())
		must(t, task.Wait())
		if n != 100 {
			t.Fatal(n)
		}
	}
}

func TestATaskIsCancelledAndALostPeerEndsIt(t *testing.T) {
	a, b, p := pair(t)
	ctx := within(t)
	seen := make(chan error, 2)
	must(t, Expose(a, "wait", func(ctx context.Context, m mark) error {
		seen <- nil
		<-ctx.Done()
		seen <- Cause(ctx)
		return ctx.Err()
	}))
	some, cancel := WithCancel(ctx)
	task, err := Start(some, p, "wait", mark{})
	must(t, err)
	<-seen
	cancel(Limit)
	wants(t, task.Wait(), Canceled)
	wants(t, <-seen, Limit)
	task, err = Start(ctx, p, "wait", mark{})
	must(t, err)
	<-seen
	b.lock()
	p.dead(Inval, "a test")
	p.end(fail(PeerLost, "a test"))
	b.unlock()
	wants(t, task.Wait(), Unknown)
	_, err = Start(ctx, p, "wait", mark{})
	wants(t, err, PeerLost)
}
