// A net/rpc server and client with Go's standard library alone.
//
//	peer serve NETWORK ADDRESS   serves Arith and Builtin as examples/netrpc does; prints the address
//	peer call NETWORK ADDRESS    calls everything on a server of either kind and checks every answer
//	peer tlsserve, tlscall       the same through a relay that speaks TLS with this end
//	peer type METHOD             what the argument of Kinds.METHOD is, as reflect writes it
//	peer random FIRST COUNT      serves methods that take a type made up from a number; prints types and values
package main

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"net"
	"net/rpc"
	"os"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

type Args struct{ A, B int }
type Reply struct{ C int }
type Arith int
type Builtin struct{}
type Ending struct{}

var sleepers int64

func (Ending) Sleepers(a *Args, r *Reply) error { r.C = int(atomic.LoadInt64(&sleepers)); return nil }

var (
	gateLock sync.Mutex
	gate     = make(chan bool)
	held     int
)

// Hold answers when LetGo is called; with B an error.
func (Ending) Hold(a *Args, r *Reply) error {
	gateLock.Lock()
	g := gate
	held++
	gateLock.Unlock()
	<-g
	gateLock.Lock()
	held--
	gateLock.Unlock()
	if r.C = a.A; a.B != 0 {
		return fmt.Errorf("held %d", a.A)
	}
	return nil
}

func (Ending) Held(a *Args, r *Reply) error {
	gateLock.Lock()
	r.C = held
	gateLock.Unlock()
	return nil
}

func (Ending) LetGo(a *Args, r *Reply) error {
	gateLock.Lock()
	defer gateLock.Unlock()
	close(gate)
	gate = make(chan bool)
	return nil
}

func (Ending) Now(a *Args, r *Reply) error { os.Exit(0); return nil }

func (Arith) Add(a Args, r *Reply) error  { r.C = a.A + a.B; return nil }
func (Arith) Mul(a *Args, r *Reply) error { r.C = a.A * a.B; return nil }
func (Arith) Div(a Args, r *Reply) error {
	if a.B == 0 {
		return errors.New("divide by zero")
	}
	r.C = a.A / a.B
	return nil
}
func (Arith) String(a *Args, r *string) error {
	*r = fmt.Sprintf("%d+%d=%d", a.A, a.B, a.A+a.B)
	return nil
}
func (Arith) Scan(a string, r *Reply) error { _, err := fmt.Sscan(a, &r.C); return err }
func (Arith) SleepMilli(a *Args, r *Reply) error {
	atomic.AddInt64(&sleepers, 1)
	defer atomic.AddInt64(&sleepers, -1)
	time.Sleep(time.Duration(a.A) * time.Millisecond)
	return nil
}
func (Builtin) Map(a *Args, r *map[int]int) error { (*r)[a.A] = a.B; return nil }
func (Builtin) Slice(a *Args, r *[]int) error     { *r = append(*r, a.A, a.B); return nil }
func (Builtin) Array(a *Args, r *[2]int) error    { r[0], r[1] = a.A, a.B; return nil }
func (Builtin) Echo(a []byte, r *[]byte) error    { *r = a; return nil }

func fatal(v ...any) {
	fmt.Fprintln(os.Stderr, v...)
	os.Exit(1)
}

func serve(l net.Listener, accept func(net.Listener)) {
	rpc.Register(new(Arith))
	rpc.Register(Builtin{})
	rpc.Register(Ending{})
	rpc.Register(Kinds{})
	fmt.Println(l.Addr())
	accept(l)
}

// Calls method and compares reply and error with what they must be.
func must(c *rpc.Client, method string, args, reply, want any, wantErr string) {
	err := c.Call(method, args, reply)
	got := ""
	if err != nil {
		got = err.Error()
	}
	if got != wantErr && !(strings.HasPrefix(wantErr, "*") && strings.Contains(got, wantErr[1:])) {
		fatal(method, args, "error", got, "not", wantErr)
	}
	if err == nil && !reflect.DeepEqual(reflect.ValueOf(reply).Elem().Interface(), want) {
		fatal(method, args, "gives", reflect.ValueOf(reply).Elem().Interface(), "not", want)
	}
}

func call(c *rpc.Client, second *rpc.Client) {
	must(c, "Arith.Add", Args{7, 8}, new(Reply), Reply{15}, "")
	must(c, "Arith.Add", &Args{0, 0}, new(Reply), Reply{0}, "")
	must(c, "Arith.Mul", &Args{7, -8}, new(Reply), Reply{-56}, "")
	must(c, "Arith.Div", Args{7, 0}, new(Reply), Reply{}, "divide by zero")
	must(c, "Arith.Div", Args{7, 2}, new(Reply), Reply{3}, "")
	must(c, "Arith.String", Args{7, 8}, new(string), "7+8=15", "")
	must(c, "Arith.Scan", "12", new(Reply), Reply{12}, "")
	must(c, "Arith.Scan", "x", new(Reply), Reply{}, "expected integer")
	must(c, "Arith.Scan", "", new(Reply), Reply{}, "EOF")
	must(c, "Arith.BadOperation", Args{7, 0}, new(Reply), Reply{}, "rpc: can't find method Arith.BadOperation")
	must(c, "Unknown.Add", Args{7, 0}, new(Reply), Reply{}, "rpc: can't find service Unknown.Add")
	must(c, "ill", Args{7, 0}, new(Reply), Reply{}, "rpc: service/method request ill-formed: ill")
	must(c, "Arith.Add", "not args", new(Reply), Reply{}, "*gob: type mismatch") // and then each has its own words
	must(c, "Arith.Add", Reply{1}, new(Reply), Reply{}, "*gob: type mismatch")
	must(c, "Arith.Add", Args{1, 2}, new(string), "", "*reading body")
	must(second, "Arith.Add", struct{ A, X int }{1, 2}, new(Reply), Reply{1}, "") // a field too many, one too few
	must(second, "Builtin.Map", Args{7, -8}, &map[int]int{}, map[int]int{7: -8}, "")
	must(second, "Builtin.Slice", Args{7, -8}, new([]int), []int{7, -8}, "")
	must(second, "Builtin.Array", Args{7, -8}, new([2]int), [2]int{7, -8}, "")
	for _, n := range []int{0, 1, 127, 128, 70000, 64 << 20} {
		b := bytes.Repeat([]byte("leat"), n/4+1)[:n]
		got := []byte{}
		if err := second.Call("Builtin.Echo", b, &got); err != nil || !bytes.Equal(got, b) {
			fatal("Echo of", n, "bytes:", err, len(got))
		}
	}
	many(second)
	if err := second.Close(); err != nil {
		fatal("Close:", err)
	}
	must(second, "Arith.Add", Args{7, 8}, new(Reply), Reply{}, "connection is shut down")
}

// Many at a time; one that sleeps holds nobody up.
func many(c *rpc.Client) {
	slow := c.Go("Arith.SleepMilli", Args{A: 300}, new(Reply), nil)
	var wg sync.WaitGroup
	for i := 0; i < 500; i++ {
		wg.Add(1)
		go func(i int) {
			defer wg.Done()
			must(c, "Arith.Mul", Args{i, i}, new(Reply), Reply{i * i}, "")
		}(i)
	}
	wg.Wait()
	select {
	case <-slow.Done:
		fmt.Println("slow was early") // told, not failed: the machine may have been
	default:
	}
	if done := <-slow.Done; done.Error != nil {
		fatal("SleepMilli:", done.Error)
	}
}

// A client that ends its sending half still gets the answers of what it has sent.
func halfClose(conn net.Conn) {
	c := rpc.NewClient(conn)
	first := c.Go("Arith.SleepMilli", Args{A: 100}, new(Reply), nil)
	second := c.Go("Arith.Add", Args{1, 2}, new(Reply), nil)
	<-second.Done // both are sent
	if h, ok := conn.(interface{ CloseWrite() error }); !ok || h.CloseWrite() != nil {
		fatal("no CloseWrite")
	}
	if done := <-first.Done; done.Error != nil {
		fatal("after a half-close:", done.Error)
	}
}

// What is not gob: CONNECT before it is taken, also byte by byte with a request behind it; what else people send is refused at once.
func otherStarts(network, address string) {
	c, err := rpc.DialHTTP(network, address)
	if err != nil {
		fatal("DialHTTP:", err)
	}
	must(c, "Arith.Add", Args{7, 8}, new(Reply), Reply{15}, "")
	c.Close()
	for start, answer := range map[string]string{"CONNECT /x HTTP/1.1\r\nHost: x\r\n\r\n": "HTTP/1.0 200 ",
		"GET / HTTP/1.1\r\n": "HTTP/1.0 405 ", "POST": "HTTP/1.0 405 ", `{"method":"Arith.Add"}`: "", "CONNECT /x": "", "C": ""} {
		conn, err := net.Dial(network, address)
		if err != nil {
			fatal(err)
		}
		conn.SetDeadline(time.Now().Add(time.Minute))
		for i := range start {
			conn.Write([]byte(start[i : i+1]))
		}
		if strings.HasPrefix(start, "C") {
			conn.(interface{ CloseWrite() error }).CloseWrite()
		}
		got, err := io.ReadAll(conn)
		if (err != nil && !errors.Is(err, syscall.ECONNRESET)) || !strings.HasPrefix(string(got), answer) || answer == "" && len(got) > 0 {
			fatal(fmt.Sprintf("%q: %q %v", start, got, err))
		}
		conn.Close()
	}
	atOnce(network, address)
}

// atOnce sends a CONNECT and a call behind it in one piece; what ends the one stands within the other, too.
func atOnce(network, address string) {
	conn, err := net.Dial(network, address)
	if err != nil {
		fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	var b bytes.Buffer
	b.WriteString("CONNECT /x HTTP/1.1\r\nHost: x\r\n\r\n")
	e, text := gob.NewEncoder(&b), []byte("a\n\nb")
	if e.Encode(rpc.Request{ServiceMethod: "Builtin.Echo", Seq: 1}) != nil || e.Encode(text) != nil {
		fatal("at once: no gob")
	}
	conn.Write(b.Bytes())
	conn.(interface{ CloseWrite() error }).CloseWrite()
	if got, err := io.ReadAll(conn); err != nil || !bytes.HasPrefix(got, []byte("HTTP/1.0 200 ")) || !bytes.HasSuffix(got, text) {
		fatal(fmt.Sprintf("at once: %q %v", got, err))
	}
}

func main() {
	if len(os.Args) > 2 && (os.Args[1] == "type" || os.Args[1] == "random") {
		kinds(os.Args[1:])
		return
	}
	if len(os.Args) != 4 {
		fatal("usage: peer serve|call NETWORK ADDRESS")
	}
	network, address := os.Args[2], os.Args[3]
	if os.Args[1] == "serve" || os.Args[1] == "tlsserve" {
		l, err := net.Listen(network, address)
		if err != nil {
			fatal(err)
		}
		if os.Args[1] == "serve" {
			serve(l, rpc.Accept)
		}
		serve(l, serveTLS)
		return
	}
	if os.Args[1] == "tlscall" {
		callTLS(network, address)
	} else {
		c, err := rpc.Dial(network, address)
		if err != nil {
			fatal(err)
		}
		second, err := rpc.Dial(network, address)
		if err != nil {
			fatal(err)
		}
		call(c, second)
		conn, err := net.Dial(network, address)
		if err != nil {
			fatal(err)
		}
		halfClose(conn)
		otherStarts(network, address)
	}
	fmt.Println("all well")
}
