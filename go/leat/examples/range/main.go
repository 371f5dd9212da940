// range URL - ranges over the channel that examples/range.c exports.
package main

import (
	"context"
	"fmt"
	"os"

	"leat.example/go/leat"
)

type square struct{ N, Squared int64 }

func main() {
	ctx := context.Background()
	node := leat.Must(leat.Open(leat.Options{Name: "go"}))
	defer node.Close(ctx)
	peer := leat.Must(node.Dial(ctx, os.Args[1]))
	squares, ended := leat.Must(leat.ImportRx[square](ctx, peer, "squares")).Range(ctx)
	for s := range squares {
		fmt.Println(s.N, "squared is", s.Squared)
	}
	fmt.Println("ended:", ended())
}
