// arith serves Arith.Multiply by net/rpc: arith tcp 127.0.0.1:1234, arith unix /tmp/arith; examples/multiply.c calls it.
package main

import (
	"net"
	"net/rpc"
	"os"
)

type Args struct{ A, B int }
type Arith struct{}

func (Arith) Multiply(args *Args, product *int) error {
	*product = args.A * args.B
	return nil
}

func main() {
	l, err := net.Listen(os.Args[1], os.Args[2])
	if err != nil {
		panic(err)
	}
	rpc.Register(Arith{})
	rpc.Accept(l)
}
