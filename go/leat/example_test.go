package leat_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"leat.example/go/leat"
)

type event struct {
	N    int64
	Text string
}

// two gives two nodes in this process, and a session between them.
func two(ctx context.Context) (a, b *leat.Node, toA *leat.Peer, end func()) {
	dir, _ := os.MkdirTemp("", "leat")
	a, b = leat.Must(leat.Open(leat.Options{Name: "a"})), leat.Must(leat.Open(leat.Options{Name: "b"}))
	if err := a.Listen("unix:" + filepath.Join(dir, "a")); err != nil {
		panic(err)
	}
	toA = leat.Must(b.Dial(ctx, a.URL()))
	return a, b, toA, func() {
		_, _ = b.Close(ctx), a.Close(ctx)
		_ = os.RemoveAll(dir)
	}
}

func ExampleRx_Range() {
	ctx := context.Background()
	a, _, toA, end := two(ctx)
	defer end()
	tx, rx, _ := leat.Make[event](a, 4)
	_ = a.Export("events", rx)
	go func() {
		for i := int64(0); i < 3; i++ {
			_ = tx.Send(ctx, event{i, "hello"})
		}
		tx.Close()
	}()
	far := leat.Must(leat.ImportRx[event](ctx, toA, "events"))
	events, ended := far.Range(ctx)
	for e := range events {
		fmt.Println(e.N, e.Text)
	}
	fmt.Println(ended())
	// Output:
	// 0 hello
	// 1 hello
	// 2 hello
	// <nil>
}

func ExampleTx_Send() {
	ctx := context.Background()
	a, _, toA, end := two(ctx)
	defer end()
	tx, rx, _ := leat.Make[event](a, 0)
	_ = a.Export("events", tx)
	far := leat.Must(leat.ImportTx[event](ctx, toA, "events"))
	go func() { _, _ = rx.Recv(ctx); rx.Release() }()
	fmt.Println(far.Send(ctx, event{1, "received"}))
	err := far.Send(ctx, event{2, "nobody is there any more"})
	fmt.Println(errors.Is(err, leat.Gone))
	// Output:
	// <nil>
	// true
}

func ExampleSelect() {
	ctx := context.Background()
	a, _, toA, end := two(ctx)
	defer end()
	tx, rx, _ := leat.Make[event](a, 0)
	_ = a.Export("events", tx)
	far := leat.Must(leat.ImportTx[event](ctx, toA, "events"))
	at, _ := leat.Select(ctx, far.OnSend(event{1, "x"}), leat.Otherwise())
	fmt.Println("case", at)
	got := make(chan event)
	go func() { got <- leat.Must(rx.Recv(ctx)) }()
	at, _ = leat.Select(ctx, far.OnSend(event{2, "y"}))
	fmt.Println("case", at, (<-got).Text)
	// Output:
	// case 1
	// case 0 y
}

func ExampleCall() {
	ctx := context.Background()
	a, _, toA, end := two(ctx)
	defer end()
	_ = leat.Serve(a, "events.next", func(_ context.Context, e event) (event, error) {
		if e.N < 0 {
			return event{}, errors.New("before all time")
		}
		return event{e.N + 1, e.Text}, nil
	})
	next, err := leat.Call[event](ctx, toA, "events.next", event{1, "x"})
	fmt.Println(next.N, err)
	_, err = leat.Call[event](ctx, toA, "events.next", event{-1, "x"})
	fmt.Println(err)
	// Output:
	// 2 <nil>
	// leat: REMOTE: a: before all time
}

func ExampleStart() {
	ctx := context.Background()
	a, b, toA, end := two(ctx)
	defer end()
	type job struct {
		N   int64
		Out leat.Tx[event]
	}
	_ = leat.Expose(a, "count", func(ctx context.Context, j job) error {
		defer j.Out.Finish()
		return j.Out.Send(ctx, event{j.N * j.N, "from afar"})
	})
	tx, rx, _ := leat.Make[event](b, 1)
	task := leat.Must(leat.Start(ctx, toA, "count", job{7, tx}))
	tx.Finish()
	events, ended := rx.Range(ctx)
	for e := range events {
		fmt.Println(e.N, e.Text)
	}
	fmt.Println(ended(), task.Wait())
	// Output:
	// 49 from afar
	// <nil> <nil>
}
