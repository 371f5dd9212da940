package leat

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Options of a node.  The zero value is good.
type Options struct {
	Name string // shown to peers and in errors; at most 63 bytes
	// Grace is how long a broken link may be made anew; the shorter one of both sides counts.  0: 30 s; below 0: a session ends with its link.
	Grace time.Duration
	// Idle and Patience: a silent peer is asked after Idle; after Patience more its link counts as broken.  0: 5 s each.
	Idle, Patience time.Duration
	// Insecure lets the node listen and dial in plain TCP beyond this host.
	Insecure bool
	// Allow is asked for every import by a peer; an error refuses it, with its text.  It must not use the node.
	Allow func(peer, name string, sends bool) error

	tap func(sent bool, kind byte) // of tests
}

// A Node listens, dials, exports and serves.  There may be many in one process.
type Node struct {
	mu        sync.Mutex
	opts      Options
	inc       [16]byte
	listeners []net.Listener
	urls      []string
	accepted  map[sessionKey]*Peer
	peers     map[*Peer]bool
	exports   map[string]*exported
	served    map[string]*service
	keys      keeper
	dirty     []*channel
	poked     []*Peer
	selects   uint64
	closing   bool
	closed    chan struct{}
}

type sessionKey struct {
	dialer [16]byte
	number uint64
}

type exported struct {
	h *handle
	d *desc
}

// Open makes a node.
func Open(o Options) (*Node, error) {
	if len(o.Name) > 63 {
		return nil, fail(Inval, "the name of a node has at most 63 bytes")
	}
	n := &Node{opts: o, accepted: map[sessionKey]*Peer{}, peers: map[*Peer]bool{}, exports: map[string]*exported{},
		served: map[string]*service{}, closed: make(chan struct{})}
	if n.opts.Grace == 0 {
		n.opts.Grace = 30 * time.Second
	}
	if n.opts.Idle <= 0 {
		n.opts.Idle = 5 * time.Second
	}
	if n.opts.Patience <= 0 {
		n.opts.Patience = 5 * time.Second
	}
	if _, err := rand.Read(n.inc[:]); err != nil {
		return nil, fail(Sys, "%v", err)
	}
	return n, nil
}

func random64() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:])
	return binary.LittleEndian.Uint64(b[:])
}

func (n *Node) lock() { n.mu.Lock() }

// unlock lets every channel that has changed get on, and the writers of the sessions that have something to write.
func (n *Node) unlock() {
	n.settle()
	poked := n.poked
	n.poked = nil
	for _, s := range poked {
		s.pokedNow = false
		if s.link != nil {
			s.link.poke()
		}
	}
	n.mu.Unlock()
}

func (n *Node) settle() {
	for len(n.dirty) > 0 {
		c := n.dirty[0]
		n.dirty = n.dirty[1:]
		c.dirty = false
		c.settle()
	}
}

// address takes a URL apart: the network and address of package net.
func (n *Node) address(url string) (network, addr string, err error) {
	switch {
	case strings.HasPrefix(url, "unix:") && url != "unix:":
		return "unix", strings.TrimPrefix(url, "unix:"), nil
	case strings.HasPrefix(url, "tcp://"):
		addr = strings.TrimPrefix(url, "tcp://")
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return "", "", fail(Inval, "%s: %v", url, err)
		}
		if !n.opts.Insecure && !loopback(host) {
			return "", "", fail(Refused, "%s: plain TCP carries no keys: only loopback, unless Options.Insecure", url)
		}
		return "tcp", addr, nil
	}
	return "", "", fail(Inval, "%q: an address is unix:PATH or tcp://HOST:PORT", url)
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Listen listens at unix:PATH or tcp://HOST:PORT.  Port 0 is any: URL tells which.
func (n *Node) Listen(url string) error {
	network, addr, err := n.address(url)
	if err != nil {
		return err
	}
	l, err := net.Listen(network, addr)
	if err != nil && network == "unix" && stale(addr) {
		l, err = net.Listen(network, addr)
	}
	if err != nil {
		return fail(Sys, "%s: %v", url, err)
	}
	if network == "tcp" {
		url = "tcp://" + l.Addr().String()
	}
	n.lock()
	defer n.unlock()
	if n.closing {
		_ = l.Close()
		return fail(Inval, "the node is closed")
	}
	n.listeners, n.urls = append(n.listeners, l), append(n.urls, url)
	go n.acceptAll(l)
	return nil
}

// stale removes the file of a socket that nobody listens at.
func stale(path string) bool {
	c, err := net.Dial("unix", path)
	if err == nil {
		_ = c.Close()
	}
	if !errors.Is(err, syscall.ECONNREFUSED) { // any other error may be one of somebody who is busy
		return false
	}
	info, err := os.Lstat(path)
	return err == nil && info.Mode()&os.ModeSocket != 0 && os.Remove(path) == nil
}

// URL is where the node listens, at the latest call of Listen; "" is nowhere.
func (n *Node) URL() string {
	n.lock()
	defer n.unlock()
	if len(n.urls) == 0 {
		return ""
	}
	return n.urls[len(n.urls)-1]
}

func (n *Node) acceptAll(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			time.Sleep(10 * time.Millisecond) // descriptors have run out: it passes
			continue
		}
		go n.welcome(conn)
	}
}

// Dial makes a session with the node that listens at url.  The context bounds the dial, not the session.
func (n *Node) Dial(ctx context.Context, url string) (*Peer, error) {
	network, addr, err := n.address(url)
	if err != nil {
		return nil, err
	}
	s := newPeer(n, true, random64())
	s.url, s.network, s.addr = url, network, addr
	s.name = url
	for {
		l, err := s.attempt(ctx)
		if err == nil {
			n.lock()
			if n.closing {
				n.unlock()
				_ = l.conn.Close()
				return nil, fail(Inval, "the node is closed")
			}
			n.peers[s] = true
			s.start(l)
			n.unlock()
			return s, nil
		}
		var again bool
		if again, err = s.mayDialAgain(ctx, err); !again {
			return nil, err
		}
	}
}

// Close lets go of all exports, ends every session in order, and waits until peers have what was sent, or the context ends.
func (n *Node) Close(ctx context.Context) error {
	n.lock()
	if !n.closing {
		n.closing = true
		close(n.closed)
	}
	for name := range n.exports {
		n.unexport(name)
	}
	var peers []*Peer
	for s := range n.peers {
		peers = append(peers, s)
		s.leave()
	}
	n.unlock()
	var first error
	for _, s := range peers {
		select {
		case <-s.ended:
		case <-ctx.Done():
			first = ctxErr(ctx)
			n.lock()
			s.end(fail(PeerLost, "this node was closed before %s had answered", s.name))
			n.unlock()
		}
	}
	n.lock()
	for _, l := range n.listeners { // until now, as a peer whose link has broken makes another
		_ = l.Close()
	}
	n.listeners = nil
	n.unlock()
	return first
}

func (n *Node) unexport(name string) bool {
	x := n.exports[name]
	if x == nil {
		return false
	}
	delete(n.exports, name)
	if !x.h.rx || !x.h.moved {
		x.h.letGo()
	}
	return true
}
