package leat

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// A hello is what HELLO says, or WELCOME: of that only what both have.
type hello struct {
	session  uint64
	attempt  uint32
	resumed  bool
	dialer   [16]byte
	acceptor [16]byte
	expected uint64
	limits   limits
	name     string
	job      string
	grace    time.Duration
	minor    uint16
}

type limits struct{ frame, opens, bytes, ends uint32 }

var ourLimits = limits{frameMax, 65536, 64 << 20, 1 << 20}

func putLimits(b []byte, l limits) []byte {
	return put32(put32(put32(put32(b, l.frame), l.opens), l.bytes), l.ends)
}

func (c *cursor) limits() (l limits) {
	l.frame, l.opens = uint32(c.number(4)), uint32(c.number(4))
	l.bytes, l.ends = uint32(c.number(4)), uint32(c.number(4))
	if c.err == nil && l.frame < frameMax {
		c.wrong(errors.New("a frame of less than 65536 bytes"))
	}
	return l
}

func (c *cursor) grace() time.Duration {
	if c.left() < 4 {
		return 0
	}
	return time.Duration(c.number(4)) * time.Millisecond
}

func (s *Peer) helloFrame() []byte {
	b := put32(put64(nil, s.number), s.tries)
	b = append(b, boolByte(s.welcomed), 0, 0, 0)
	b = append(b, s.n.inc[:]...)
	b = append(b, s.peerInc[:]...)
	b = putLimits(put64(b, s.inNum+1), ourLimits)
	b = putText(putText(b, s.n.opts.Name), os.Getenv("LEAT_JOB"))
	return plainFrame(kHello, put32(put32(b, s.n.graceMs()), s.process()))
}

// process is this process's number, which the system of a peer at a Unix socket knows too: then it need not wait for us when we have ended.
func (s *Peer) process() uint32 {
	if strings.HasPrefix(s.url, "unix:") {
		return uint32(os.Getpid())
	}
	return 0
}

func (n *Node) graceMs() uint32 {
	if n.opts.Grace < 0 {
		return 0
	}
	return uint32(n.opts.Grace / time.Millisecond)
}

func plainFrame(kind byte, fields []byte) []byte {
	return append(append(put32(nil, uint32(len(fields))), kind, 0, 0, 0), fields...)
}

func deadFrame(code Code, reason string) []byte {
	if len(reason) > 400 {
		reason = reason[:400]
	}
	return plainFrame(kDead, putText([]byte{byte(code)}, reason))
}

func readHello(b []byte) (h hello, err error) {
	c := &cursor{b: b}
	h.session, h.attempt = c.number(8), uint32(c.number(4))
	resumed := c.number(4)
	h.resumed = resumed == 1
	h.dialer, h.acceptor = c.id16(), c.id16()
	h.expected, h.limits = c.number(8), c.limits()
	h.name, h.job = string(c.text(0, 63)), string(c.text(0, 64))
	h.grace = c.grace()
	if c.err == nil && (resumed > 1 || h.attempt == 0 || h.expected == 0) {
		c.wrong(errors.New("fields that do not make sense"))
	}
	return h, c.err
}

func readWelcome(b []byte) (h hello, err error) {
	c := &cursor{b: b}
	h.acceptor, h.expected, h.limits = c.id16(), c.number(8), c.limits()
	h.name, h.grace = string(c.text(0, 63)), c.grace()
	if c.err == nil && h.expected == 0 {
		c.wrong(errors.New("it expects number 0"))
	}
	return h, c.err
}

// readFirst reads a preamble and one frame of at most 1,024 bytes.
func readFirst(r io.Reader) (kind byte, fields []byte, minor uint16, err error) {
	var head [16]byte
	at, err := io.ReadFull(r, head[:1])
	for err == nil && at < 16 && head[at-1] == preamble[at-1] {
		var k int
		k, err = r.Read(head[at:])
		for i := at; i < at+k && i < 8; i++ {
			if head[i] != preamble[i] {
				err = errors.New("strange")
			}
		}
		at += k
		if at >= 8 {
			if _, err2 := io.ReadFull(r, head[at:]); err == nil {
				err = err2
			}
			break
		}
	}
	if s := stranger(head[:at]); s != "" {
		return 0, nil, 0, fail(Refused, "%s", s)
	}
	if err != nil {
		return 0, nil, 0, err
	}
	if major := uint16(head[8]) | uint16(head[9])<<8; major != 1 {
		return 0, nil, 0, fail(Refused, "it speaks version %d of leat's protocol, this side version 1: build both with one version", major)
	}
	var h [headerLen]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return 0, nil, 0, err
	}
	length := r32(h[:], 0)
	if length > helloMax || h[6] != 0 || h[7] != 0 {
		return 0, nil, 0, fail(Inval, "a bad first frame")
	}
	fields = make([]byte, length)
	_, err = io.ReadFull(r, fields)
	return h[4], fields, uint16(head[10]) | uint16(head[11])<<8, err
}

// stranger says what speaks there, when it is not leat.
func stranger(b []byte) string {
	n := len(b)
	if n > 8 {
		n = 8
	}
	if n == 0 || string(b[:n]) == string(preamble[:n]) {
		return ""
	}
	text := string(b)
	switch {
	case strings.HasPrefix(text, "GET ") || strings.HasPrefix(text, "POST") || strings.HasPrefix(text, "HTTP") ||
		strings.HasPrefix(text, "HEAD") || strings.HasPrefix(text, "PUT "):
		return "it speaks HTTP, not leat's protocol"
	case b[0] == 0x16:
		return "it speaks TLS, not leat's protocol"
	case strings.HasPrefix(text, "SSH"):
		return "it speaks SSH, not leat's protocol"
	}
	return "it does not speak leat's protocol"
}

// attempt makes one link of a dialed session, up to WELCOME.  Its error is an *Error when the other side has said no.
func (s *Peer) attempt(ctx context.Context) (*link, error) {
	s.n.lock()
	s.tries++
	say := append(append([]byte(nil), preamble[:]...), s.helloFrame()...)
	s.n.unlock()
	var d net.Dialer
	conn, err := d.DialContext(ctx, s.network, s.addr)
	if err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(s.n.opts.Idle + s.n.opts.Patience))
	stop, stopped := make(chan struct{}), make(chan struct{})
	defer func() { close(stop); <-stopped }()
	go func() {
		defer close(stopped)
		select {
		case <-ctx.Done():
			_ = conn.SetDeadline(time.Unix(1, 0))
		case <-stop:
		}
	}()
	l := &link{s: s, conn: conn, kick: make(chan struct{}, 1)}
	h, err := s.greet(l, say)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	s.n.lock()
	defer s.n.unlock()
	if s.welcomed && h.acceptor != s.peerInc {
		err = fail(PeerLost, "%s has started again since", s.name)
	} else if h.expected <= s.acked || h.expected > s.outNum+1 {
		err = fail(PeerLost, "%s expects a frame that was never sent, or not kept", s.name)
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	s.welcomed, s.peerInc, s.peerLimits = true, h.acceptor, h.limits
	s.peerGrace, s.minor = h.grace, h.minor
	if h.name != "" {
		s.name = h.name
	}
	s.ackUpTo(h.expected - 1)
	l.next = h.expected
	return l, nil
}

func (s *Peer) greet(l *link, say []byte) (hello, error) {
	s.n.tapped(true, kHello)
	if _, err := l.conn.Write(say); err != nil {
		return hello{}, err
	}
	kind, fields, minor, err := readFirst(l.conn)
	if err != nil {
		return hello{}, err
	}
	s.n.tapped(false, kind)
	switch kind {
	case kWelcome:
		h, err := readWelcome(fields)
		h.minor = minor
		if err != nil {
			err = fail(PeerLost, "%s: a bad WELCOME: %v", s.url, err)
		}
		return h, err
	case kDead:
		c := &cursor{b: fields}
		code, reason := Code(c.u8()), c.text(0, 400)
		if c.err == nil && code == Deadline {
			return hello{}, errors.New("the hello came too late")
		}
		return hello{}, &Error{Code: code, Detail: s.url + ": " + string(reason)}
	}
	return hello{}, fail(PeerLost, "%s: a first frame that is no WELCOME", s.url)
}

// mayDialAgain says whether a first dial that failed is tried again, as it broke before WELCOME; else with which error it ends.
func (s *Peer) mayDialAgain(ctx context.Context, err error) (bool, error) {
	var e *Error
	switch {
	case ctx.Err() != nil:
		return false, ctxErr(ctx)
	case errors.As(err, &e):
		return false, e
	case errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, os.ErrNotExist):
		return false, fail(Refused, "%s: nobody listens there", s.url)
	case s.tries >= 4:
		return false, fail(PeerLost, "%s: %v", s.url, err)
	}
	select {
	case <-ctx.Done():
		return false, ctxErr(ctx)
	case <-time.After(20 * time.Millisecond):
		return true, nil
	}
}

// welcome is the acceptor's side of a new link.
func (n *Node) welcome(conn net.Conn) {
	_ = conn.SetDeadline(time.Now().Add(n.opts.Idle + n.opts.Patience))
	kind, fields, minor, err := readFirst(conn)
	refuse := func(code Code, reason string) {
		n.tapped(true, kDead)
		_, _ = conn.Write(append(append([]byte(nil), preamble[:]...), deadFrame(code, reason)...))
		hangUp(conn)
	}
	var e *Error
	var timeout net.Error
	switch {
	case errors.As(err, &e) && strings.Contains(e.Detail, "HTTP"):
		_, _ = conn.Write([]byte("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\nThis is a leat node.\n"))
		hangUp(conn)
		return
	case errors.As(err, &e):
		refuse(e.Code, n.opts.Name+" says of this side: "+e.Detail)
		return
	case errors.As(err, &timeout) && timeout.Timeout():
		refuse(Deadline, "no hello has come in time")
		return
	case err != nil:
		_ = conn.Close()
		return
	}
	n.tapped(false, kind)
	if kind != kHello {
		refuse(Inval, "a first frame that is no HELLO")
		return
	}
	h, err := readHello(fields)
	h.minor = minor
	if err != nil {
		refuse(Inval, "a bad HELLO: "+err.Error())
		return
	}
	if job := os.Getenv("LEAT_JOB"); job != "" && h.job != "" && job != h.job {
		refuse(Refused, "it belongs to another launch")
		return
	}
	if code, reason := n.admit(conn, h); reason != "" {
		refuse(code, reason)
	}
}

// hangUp closes a link behind what was written, so that the other side reads it.
func hangUp(conn net.Conn) {
	if c, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = c.CloseWrite()
		_ = conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		_, _ = io.CopyN(io.Discard, conn, 1<<16)
	}
	_ = conn.Close()
}

// admit decides what a HELLO is.  A reason refuses it.
func (n *Node) admit(conn net.Conn, h hello) (Code, string) {
	n.lock()
	defer n.unlock()
	key := sessionKey{h.dialer, h.session}
	s := n.accepted[key]
	switch {
	case n.closing && s == nil:
		return Refused, "this node is closing"
	case s == nil && h.resumed:
		return PeerLost, "it goes on with a session that is not known here"
	case s == nil && h.expected != 1:
		return Inval, "a new session that does not begin at 1"
	case s == nil:
		s = newPeer(n, false, h.session)
		n.accepted[key] = s
		n.peers[s] = true
		s.key = key
		s.peerInc, s.peerLimits, s.peerGrace = h.dialer, h.limits, h.grace
		if s.name = h.name; s.name == "" {
			s.name = "a node without a name"
		}
	case h.attempt <= s.tries:
		_ = conn.Close()
		return OK, ""
	case h.resumed && h.acceptor != n.inc || !h.resumed && s.inNum > 0:
		return PeerLost, "it goes on with a session as nobody would who had it"
	case h.expected <= s.acked || h.expected > s.outNum+1:
		return PeerLost, "it expects a frame that was never sent, or not kept"
	}
	s.tries, s.minor = h.attempt, h.minor
	if s.link != nil {
		_ = s.link.conn.Close()
		s.link = nil
	}
	s.ackUpTo(h.expected - 1)
	l := &link{s: s, conn: conn, kick: make(chan struct{}, 1), next: h.expected}
	b := append(append([]byte(nil), preamble[:]...), plainFrame(kWelcome, s.welcomeFields())...)
	l.first = b
	n.tapped(true, kWelcome)
	s.start(l)
	return OK, ""
}

func (s *Peer) welcomeFields() []byte {
	b := putLimits(put64(append([]byte(nil), s.n.inc[:]...), s.inNum+1), ourLimits)
	return put32(putText(b, s.n.opts.Name), s.n.graceMs())
}

func (n *Node) tapped(sent bool, kind byte) {
	if n.opts.tap != nil {
		n.opts.tap(sent, kind)
	}
}
