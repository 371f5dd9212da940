package main

import (
	"fmt"
	"net"
)

// An echo server at this port of the loopback interface, a goroutine a connection, until it is killed.
func registerEcho() { register("echo-server", 7007, echoServer) }

func echo(conn net.Conn) {
	defer conn.Close()
	buf := make([]byte, 4096)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return
		}
		if _, err = conn.Write(buf[:n]); err != nil {
			return
		}
	}
}

func echoServer(port int) {
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	must(err)
	for {
		conn, err := listener.Accept()
		must(err)
		go echo(conn)
	}
}
