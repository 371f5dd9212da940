package main

import (
	"bufio"
	"encoding/gob"
	"fmt"
	"io"
	"net"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Between two processes: values one by one over a connection with encoding/gob, which is Go's way of sending typed values, and
// calls with net/rpc. The other process is this program again, started with serve-gob or serve-rpc; it says where it listens.

// Number is an element of 8 bytes, and what a call takes and gives.
type Number struct{ V int64 }
type block struct {
	Data []byte
	Last bool
}

// Adder is the service that calls-* use.
type Adder struct{}

// Increment is its method.
func (Adder) Increment(in *Number, out *Number) error {
	out.V = in.V + 1
	return nil
}

func registerNet() {
	register("serve-gob-tcp", 1, func(int) { serve("tcp", serveGob) })
	register("serve-gob-unix", 1, func(int) { serve("unix", serveGob) })
	register("serve-rpc-tcp", 1, func(int) { serve("tcp", serveRPC) })
	register("tcp-pingpong", 10000, func(n int) { gobPingpong("tcp", n) })
	register("unix-pingpong", 10000, func(n int) { gobPingpong("unix", n) })
	register("tcp-stream-8", 1000000, func(n int) { gobNumbers("tcp", n) })
	register("unix-stream-8", 1000000, func(n int) { gobNumbers("unix", n) })
	register("tcp-stream-1k", 300000, func(n int) { gobKibibytes("tcp", n) })
	register("tcp-stream-1m", 500, func(n int) { gobMebibytes("tcp", n) })
	register("unix-stream-1m", 500, func(n int) { gobMebibytes("unix", n) })
	register("serve-fan-tcp", 1, func(int) { serveFan() })
	register("growth-size", 1024, growthSize)
	register("growth-channels", 100, growthChannels)
	register("fan-out-100", 1000000, fanOut)
	register("tcp-setup", 300, func(n int) { setup("tcp", n) })
	register("unix-setup", 300, func(n int) { setup("unix", n) })
	register("serve-many-tcp", 1, func(int) { serveMany("tcp") })
	register("serve-many-unix", 1, func(int) { serveMany("unix") })
	register("calls-1", 10000, func(n int) { calls("calls-1", n, 1) })
	register("calls-16", 50000, func(n int) { calls("calls-16", n, 16) })
	register("calls-256", 100000, func(n int) { calls("calls-256", n, 256) })
	register("netrpc-calls", 100000, func(n int) { calls("netrpc-calls", n, 256) })
}

func must(err error) {
	if err != nil {
		wrong("%v", err)
	}
}

// serve takes one connection, and ends with it.
func serve(network string, handle func(conn net.Conn)) {
	address := "127.0.0.1:0"
	if network == "unix" {
		dir, err := os.MkdirTemp("", "leat-bench-")
		must(err)
		defer os.RemoveAll(dir)
		address = filepath.Join(dir, "s")
	}
	listener, err := net.Listen(network, address)
	must(err)
	fmt.Println(listener.Addr())
	conn, err := listener.Accept()
	must(err)
	handle(conn)
	conn.Close()
	listener.Close()
}

// other starts the second process and connects to it; the function returned waits for its end.
func other(kind, network string) (net.Conn, func()) {
	self, err := os.Executable()
	must(err)
	child := exec.Command(self, "serve-"+kind+"-"+network, "--workers", fmt.Sprint(runtime.GOMAXPROCS(0)))
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	must(err)
	must(child.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	must(err)
	conn, err := net.Dial(network, strings.TrimSpace(line))
	must(err)
	return conn, func() {
		conn.Close()
		must(child.Wait())
	}
}

// Every request names what follows, so that one server serves all rows.
type request struct{ Kind string }

func serveGob(conn net.Conn) {
	in := gob.NewDecoder(bufio.NewReaderSize(conn, 65536))
	out := gob.NewEncoder(conn)
	var r request
	must(in.Decode(&r))
	var x Number
	sum := int64(0)
	switch r.Kind {
	case "pingpong":
		for in.Decode(&x) == nil {
			must(out.Encode(Number{x.V + 1}))
			x = Number{}
		}
	case "numbers":
		for in.Decode(&x) == nil && x.V >= 0 {
			sum += x.V
			x = Number{}
		}
		must(out.Encode(Number{sum}))
	case "blocks":
		var b block
		for in.Decode(&b) == nil && !b.Last {
			sum += int64(len(b.Data))
		}
		must(out.Encode(Number{sum}))
	}
	io.Copy(io.Discard, conn)
}

func gobPingpong(network string, n int) {
	conn, end := other("gob", network)
	out, in := gob.NewEncoder(conn), gob.NewDecoder(bufio.NewReader(conn))
	must(out.Encode(request{"pingpong"}))
	var x Number
	start := time.Now()
	for i := 0; i < n; i++ {
		must(out.Encode(Number{int64(i)}))
		must(in.Decode(&x))
		if x.V != int64(i)+1 {
			wrong("%s-pingpong: got %d, not %d", network, x.V, i+1)
		}
	}
	result(network+"-pingpong", "us", float64(time.Since(start).Nanoseconds())/1e3/float64(n))
	end()
}

// The time runs until the other side has received the last one and its sum is here. It returns how long that took.
func gobStream(network, kind string, send func(out *gob.Encoder) int64) time.Duration {
	conn, end := other("gob", network)
	w := bufio.NewWriterSize(conn, 65536)
	out, in := gob.NewEncoder(w), gob.NewDecoder(conn)
	must(out.Encode(request{kind}))
	must(w.Flush())
	var sum Number
	start := time.Now()
	want := send(out)
	must(w.Flush())
	must(in.Decode(&sum))
	took := time.Since(start)
	if sum.V != want {
		wrong("%s %s: the sum is %d, not %d", network, kind, sum.V, want)
	}
	end()
	return took
}

func cpuSeconds(who int) float64 {
	var r syscall.Rusage
	must(syscall.Getrusage(who, &r))
	return float64(r.Utime.Sec+r.Stime.Sec) + float64(r.Utime.Usec+r.Stime.Usec)/1e6
}

func gobNumbers(network string, n int) {
	took := gobStream(network, "numbers", func(out *gob.Encoder) int64 {
		for i := 0; i < n; i++ {
			must(out.Encode(Number{int64(i)}))
		}
		must(out.Encode(Number{-1}))
		return int64(n) * int64(n-1) / 2
	})
	result(network+"-stream-8", "/s", float64(n)/took.Seconds())
	cpu := cpuSeconds(syscall.RUSAGE_SELF) + cpuSeconds(syscall.RUSAGE_CHILDREN)
	result(network+"-stream-8-cpu", "s", cpu*1e6/float64(n))
}

func gobBlocks(network string, n, size int) float64 {
	took := gobStream(network, "blocks", func(out *gob.Encoder) int64 {
		b := block{Data: make([]byte, size)}
		for i := 0; i < n; i++ {
			must(out.Encode(b))
		}
		must(out.Encode(block{Last: true}))
		return int64(n) * int64(size)
	})
	return float64(n) / took.Seconds()
}

func gobKibibytes(network string, n int) {
	result(network+"-stream-1k", "/s", gobBlocks(network, n, 1024))
}

func gobMebibytes(network string, n int) {
	result(network+"-stream-1m", "MB/s", gobBlocks(network, n, 1<<20)*(1<<20)/1e6)
}

func growthSize(size int) {
	n := 200000000 / size
	if n > 1000000 {
		n = 1000000
	} else if n < 64 {
		n = 64
	}
	rate := gobBlocks("tcp", n, size)
	result("growth-size", "/s", rate)
	result("growth-size-bytes", "MB/s", rate*float64(size)/1e6)
}

// One element to each of many connections, again and again; each has a goroutine that receives.
const fan = 100

type small struct{ Words [8]uint64 }

func serveFan() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	fmt.Println(listener.Addr())
	control, err := listener.Accept()
	must(err)
	var conns Number
	must(gob.NewDecoder(control).Decode(&conns))
	var wg sync.WaitGroup
	for i := int64(0); i < conns.V; i++ {
		conn, err := listener.Accept()
		must(err)
		wg.Add(1)
		go func() {
			defer wg.Done()
			in := gob.NewDecoder(bufio.NewReaderSize(conn, 4096))
			var x small
			for in.Decode(&x) == nil {
				x = small{}
			}
			conn.Close()
		}()
	}
	wg.Wait()
	must(gob.NewEncoder(control).Encode(Number{1}))
	io.Copy(io.Discard, control)
}

// around sends so many elements in all, and returns how many a second.
func around(conns, elements int) float64 {
	control, end := other("fan", "tcp")
	must(gob.NewEncoder(control).Encode(Number{int64(conns)}))
	all, writers, outs := make([]net.Conn, conns), make([]*bufio.Writer, conns), make([]*gob.Encoder, conns)
	for i := range all {
		conn, err := net.Dial("tcp", control.RemoteAddr().String())
		must(err)
		all[i], writers[i] = conn, bufio.NewWriterSize(conn, 16384)
		outs[i] = gob.NewEncoder(writers[i])
	}
	start := time.Now()
	rounds := elements/conns + 1
	for i := 0; i < rounds; i++ {
		for k := range outs {
			must(outs[k].Encode(small{}))
		}
	}
	for i := range all {
		must(writers[i].Flush())
		all[i].Close()
	}
	var done Number
	must(gob.NewDecoder(control).Decode(&done))
	rate := float64(rounds*conns) / time.Since(start).Seconds()
	end()
	return rate
}

func fanOut(n int)                { result("fan-out-100", "/s", around(fan, n)) }
func growthChannels(channels int) { result("growth-channels", "/s", around(channels, 500000)) }

// A connection and its first call.
func serveMany(network string) {
	address := "127.0.0.1:0"
	if network == "unix" {
		dir, err := os.MkdirTemp("", "leat-bench-")
		must(err)
		defer os.RemoveAll(dir)
		address = filepath.Join(dir, "s")
	}
	listener, err := net.Listen(network, address)
	must(err)
	fmt.Println(listener.Addr())
	server := rpc.NewServer()
	must(server.Register(Adder{}))
	first, err := listener.Accept()
	must(err)
	go server.Accept(listener)
	io.Copy(io.Discard, first)
}

func setup(network string, n int) {
	control, end := other("many", network)
	var took time.Duration
	for i := 0; i < n; i++ {
		var out Number
		start := time.Now()
		client, err := rpc.Dial(network, control.RemoteAddr().String())
		must(err)
		must(client.Call("Adder.Increment", &Number{1}, &out))
		took += time.Since(start)
		client.Close()
	}
	result(network+"-setup", "us", float64(took.Nanoseconds())/1e3/float64(n))
	end()
}

func serveRPC(conn net.Conn) {
	server := rpc.NewServer()
	must(server.Register(Adder{}))
	server.ServeConn(conn)
}

// calls makes n calls, so many at a time, and reports how many a second.
func calls(name string, n, callers int) {
	conn, end := other("rpc", "tcp")
	client := rpc.NewClient(conn)
	var wg sync.WaitGroup
	wg.Add(callers)
	each := n/callers + 1
	start := time.Now()
	for c := 0; c < callers; c++ {
		go func() {
			var out Number
			for i := 0; i < each; i++ {
				must(client.Call("Adder.Increment", &Number{int64(i)}, &out))
				if out.V != int64(i)+1 {
					wrong("%s: got %d, not %d", name, out.V, i+1)
				}
			}
			wg.Done()
		}()
	}
	wg.Wait()
	result(name, "/s", float64(each*callers)/time.Since(start).Seconds())
	client.Close()
	end()
}
