package leat

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// A Peer is a session with another node.  It outlives its links: when one breaks, its dialer makes another, and what was sent arrives once
// and in order.
type Peer struct {
	n                    *Node
	dialer               bool
	number               uint64
	key                  sessionKey
	url, network, addr   string
	name                 string
	peerInc              [16]byte
	peerLimits           limits
	peerGrace            time.Duration
	tries                uint32 // the attempt of the link, or of the next one
	welcomed             bool
	link                 *link
	down                 *time.Timer // ends the session when no link comes
	outNum, acked, inNum uint64
	kept                 []keptFrame // written, or to be written again: acked+1 ... outNum
	keptBytes            int
	unackedN, unackedB   int // accepted since an acknowledgement went out
	queue                []*outbox
	pokedNow             bool
	ends                 map[uint64]*end
	asked                map[uint64]*call // calls of ours
	answering            map[uint64]*call // calls of the peer
	argBytes             int
	owed                 int // frames that are to be written for what the peer has asked or said
	owedResults          int // bytes of answers that are not written
	room                 chan struct{}
	minor                uint16             // the peer's version
	forms                map[[16]byte]*desc // types of arguments that the peer has told
	formBytes            int
	formIn               []byte            // of the frames FORM
	formMore, formWhole  bool              // it goes on; it is whole, and not yet used
	told                 map[[16]byte]bool // types of which the peer was told
	learned              map[types]*bridge // methods that were asked for their types, and how their results are read; nil: as they are
	movedIn              uint64
	answeringBytes       int
	nextEnd, nextCall    uint64
	byeWanted, byeSent   bool
	peerBye, peerDone    bool
	doneTimer            *time.Timer
	over                 bool
	err                  *Error // why it ended; nil: in order
	ended                chan struct{}
}

type keptFrame struct {
	kind byte
	b    []byte
	open *call // of the first OPEN of a call: the time that remains is as it is when it is written, also again
}

func (f keptFrame) toWrite() []byte {
	if f.open != nil && !f.open.deadline.IsZero() {
		binary.LittleEndian.PutUint64(f.b[f.open.timeAt:], f.open.remains())
	}
	return f.b
}

// A link is one connection of a session.
type link struct {
	s            *Peer
	conn         net.Conn
	kick         chan struct{}
	first        []byte // WELCOME
	next         uint64 // the number that is written next
	ping, pong   bool
	said         bool   // the last word: ACK and DEAD of a session that is done
	last         []byte // what is written last, and ends the link
	closeAfter   bool
	buf          []byte
	writerExited chan struct{}
}

func newPeer(n *Node, dialer bool, number uint64) *Peer {
	s := &Peer{n: n, dialer: dialer, number: number, ends: map[uint64]*end{}, asked: map[uint64]*call{}, answering: map[uint64]*call{},
		ended: make(chan struct{}), nextEnd: 2, nextCall: 2}
	if dialer {
		s.nextEnd, s.nextCall = 3, 3
	}
	return s
}

// Name is what the peer calls itself, or the address it was dialed at.
func (p *Peer) Name() string {
	p.n.lock()
	defer p.n.unlock()
	return p.name
}

// Done is closed when the session has ended; then Err says how.
func (p *Peer) Done() <-chan struct{} { return p.ended }

// Err is nil while the session lives and after an orderly end; else why it was lost.
func (p *Peer) Err() error {
	p.n.lock()
	defer p.n.unlock()
	if p.err == nil {
		return nil
	}
	return p.err
}

// Close ends the session in order: the peer gets what was sent.  It waits for that, or for the context.
func (p *Peer) Close(ctx context.Context) error {
	p.n.lock()
	p.leave()
	p.n.unlock()
	select {
	case <-p.ended:
		return p.Err()
	case <-ctx.Done():
		return ctxErr(ctx)
	}
}

func (l *link) poke() {
	select {
	case l.kick <- struct{}{}:
	default:
	}
}

func (s *Peer) poke() {
	if !s.pokedNow {
		s.pokedNow = true
		s.n.poked = append(s.n.poked, s)
	}
}

// leave says BYE behind all that is to be sent.
func (s *Peer) leave() {
	s.byeWanted = true
	s.poke()
}

func (s *Peer) grace() time.Duration {
	g := s.n.opts.Grace
	if s.peerGrace < g {
		g = s.peerGrace
	}
	return g
}

// start takes a link that has been welcomed.
func (s *Peer) start(l *link) {
	s.link = l
	if s.down != nil {
		s.down.Stop()
		s.down = nil
	}
	for _, e := range s.ends {
		if w := e.offered; w != nil && w.op.noLink {
			w.op.noLink = false
		}
	}
	_ = l.conn.SetDeadline(time.Time{})
	l.writerExited = make(chan struct{})
	go l.write()
	go l.read()
	l.poke()
	if s.over {
		l.closeAfter = true
	}
}

func (s *Peer) ackUpTo(n uint64) {
	for ; s.acked < n && len(s.kept) > 0; s.acked++ {
		s.keptBytes -= len(s.kept[0].b)
		s.kept[0] = keptFrame{}
		s.kept = s.kept[1:]
	}
}

// write is the writer's goroutine.
func (l *link) write() {
	defer close(l.writerExited)
	s := l.s
	for {
		s.n.lock()
		b := s.gather(l)
		over := l.closeAfter && len(b) == 0
		s.n.unlock()
		switch {
		case over:
			hangUp(l.conn)
			return
		case len(b) == 0:
			<-l.kick
		default:
			_ = l.conn.SetWriteDeadline(time.Now().Add(s.n.opts.Idle + s.n.opts.Patience))
			if _, err := l.conn.Write(b); err != nil {
				s.broken(l, err)
				return
			}
		}
	}
}

// gather gives what is to be written next to this link.
func (s *Peer) gather(l *link) []byte {
	if s.link != l {
		l.closeAfter = true
		if l.last == nil {
			return nil
		}
	}
	b := append(l.buf[:0], l.first...)
	l.first = nil
	if l.pong {
		l.pong = false
		b = s.short(b, kPong)
	}
	if l.ping {
		l.ping = false
		b = s.short(b, kPing)
	}
	for len(b) < 64<<10 && l.last == nil {
		if l.next > s.outNum && !s.produce() {
			break
		}
		f := s.kept[l.next-s.acked-1]
		s.n.tapped(true, f.kind)
		b = append(b, f.toWrite()...)
		l.next++
	}
	if s.unackedN >= 1024 || s.unackedB >= 512<<10 {
		b = s.short(b, kAck)
	}
	if s.done() && !l.said && l.last == nil {
		l.said = true
		s.n.tapped(true, kDead)
		b = append(s.short(b, kAck), deadFrame(OK, "")...)
		s.armDone()
	}
	if l.last != nil {
		s.n.tapped(true, kDead)
		b = append(b, l.last...)
		l.last, l.closeAfter = nil, true
	}
	l.buf = b
	return b
}

// short appends one of the frames that only carry an acknowledgement.
func (s *Peer) short(b []byte, kind byte) []byte {
	s.unackedN, s.unackedB = 0, 0
	s.n.tapped(true, kind)
	return put64(append(put32(b, 8), kind, 0, 0, 0), s.inNum)
}

// produce makes the next numbered frame; false if there is none, or too much is kept.
func (s *Peer) produce() bool {
	if s.keptBytes >= limitKept || s.byeSent {
		return false
	}
	for len(s.queue) > 0 {
		o := s.queue[0]
		s.queue = s.queue[1:]
		o.queued = false
		kind, flags, fields, ok := o.src.build()
		o.ready()
		if ok {
			s.keep(kind, flags, fields)
			if c, _ := o.src.(*call); c != nil && kind == kOpen && !c.timed {
				c.timed = true
				s.kept[len(s.kept)-1].open = c
			}
			return true
		}
	}
	if s.byeWanted && !s.waitsForRoom() {
		s.byeSent = true
		s.keep(kBye, 0, nil)
		return true
	}
	return false
}

// waitsForRoom says whether elements are still to be written that the window keeps back.
func (s *Peer) waitsForRoom() bool {
	for _, e := range s.ends {
		if e.site && len(e.items) > 0 && !s.peerBye {
			return true
		}
	}
	return false
}

func (s *Peer) keep(kind, flags byte, fields []byte) {
	b := make([]byte, 0, headerLen+16+len(fields))
	b = append(put32(b, uint32(16+len(fields))), kind, flags, 0, 0)
	s.outNum++
	b = append(put64(put64(b, s.outNum), s.inNum), fields...)
	s.unackedN, s.unackedB = 0, 0
	s.kept = append(s.kept, keptFrame{kind: kind, b: b})
	s.keptBytes += len(b)
}

// mayTell says whether the peer can be told a form of so many bytes.
func (s *Peer) mayTell(form []byte) bool {
	return s.minor >= 1 && (len(form) <= formSent || s.minor >= 3)
}

// putForm appends a form to the fields of the frame that is being made; what is too long for it goes before.
func (s *Peer) putForm(b, form []byte) []byte {
	if len(form) <= formSent {
		return append(putVarint(b, uint64(len(form))), form...)
	}
	if s.minor < 3 {
		return append(b, 0)
	}
	for flags := byte(flagMore); flags != 0; {
		piece := form
		if flags = 0; len(piece) > pieceMax {
			piece, flags = piece[:pieceMax], flagMore
		}
		s.keep(kForm, flags, piece)
		form = form[len(piece):]
	}
	return append(b, 1, 0)
}

// takeForm reads what putForm has put; it is valid until the next form comes.
func (s *Peer) takeForm(c *cursor) []byte {
	form := c.text(0, formSent)
	if len(form) != 1 || form[0] != 0 {
		return form
	}
	if !s.formWhole {
		c.wrong(errSense)
		return nil
	}
	s.formWhole = false
	return s.formIn
}

func (s *Peer) onForm(more bool, c *cursor) error {
	if s.minor < 3 {
		return errSense
	}
	if !s.formMore {
		s.formIn = nil
	}
	s.formMore, s.formWhole = more, !more
	s.formIn = append(s.formIn, c.take(c.left())...)
	if len(s.formIn) > formMax {
		return fail(Limit, "the description of a type, of over %d bytes", formMax)
	}
	return nil
}

// done: both have said their last, and the other side has all of it.
func (s *Peer) done() bool { return s.byeSent && s.peerBye && s.acked == s.outNum }

// armDone lets a session that is done end well even if the other side's last word is lost.
func (s *Peer) armDone() {
	if s.doneTimer == nil {
		s.doneTimer = time.AfterFunc(s.n.opts.Idle+s.n.opts.Patience, func() {
			s.n.lock()
			s.end(nil)
			s.n.unlock()
		})
	}
}

// pulse is a reader that asks a silent peer, and gives it up.
type pulse struct {
	l *link
}

func (p pulse) Read(b []byte) (int, error) {
	s := p.l.s
	_ = p.l.conn.SetReadDeadline(time.Now().Add(s.n.opts.Idle))
	k, err := p.l.conn.Read(b)
	if k > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		return k, err
	}
	s.n.lock()
	p.l.ping = true
	s.poke()
	s.n.unlock()
	_ = p.l.conn.SetReadDeadline(time.Now().Add(s.n.opts.Patience))
	k, err = p.l.conn.Read(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = fmt.Errorf("it has been silent for %v", s.n.opts.Idle+s.n.opts.Patience)
	}
	return k, err
}

// read is the reader's goroutine.
func (l *link) read() {
	s := l.s
	r := &buffered{r: pulse{l}}
	for {
		h, err := r.next(headerLen)
		if err != nil {
			s.broken(l, err)
			return
		}
		length, kind, flags := binary.LittleEndian.Uint32(h), h[4], h[5]
		zero := h[6] == 0 && h[7] == 0
		if length > frameMax || !zero {
			s.hostile(l, kind, errors.New("a header that makes no sense"))
			return
		}
		b, err := r.next(int(length))
		if err != nil {
			s.broken(l, err)
			return
		}
		if !s.took(l, kind, flags, b) {
			return
		}
	}
}

// took handles one frame; false ends the reader.
func (s *Peer) took(l *link, kind, flags byte, b []byte) bool {
	s.n.lock()
	defer s.n.unlock()
	if s.link != l {
		return false
	}
	s.n.tapped(false, kind)
	err := s.frame(l, kind, flags, b)
	if err == errGap {
		s.brokenLocked(l, err)
		return false
	}
	if err != nil {
		s.fatal(kind, err)
		return false
	}
	return s.link == l
}

func (s *Peer) hostile(l *link, kind byte, err error) {
	s.n.lock()
	if s.link == l {
		s.fatal(kind, err)
	}
	s.n.unlock()
}

// fatal ends the session for what the peer has said.
func (s *Peer) fatal(kind byte, err error) {
	name, known := kindNames[kind]
	if !known {
		name = fmt.Sprintf("0x%02x", kind)
	}
	code := Inval
	if c := CodeOf(err); c == Limit {
		code = c
	}
	reason := fmt.Sprintf("a bad %s frame: %s", name, detailOf(err))
	s.dead(code, reason)
	s.end(fail(PeerLost, "%s has sent %s", s.name, reason))
}

// dead writes DEAD as the last frame of the link.
func (s *Peer) dead(code Code, reason string) {
	if s.link != nil {
		s.link.last = deadFrame(code, reason)
		s.link.poke()
	}
}

func (s *Peer) broken(l *link, err error) {
	s.n.lock()
	s.brokenLocked(l, err)
	s.n.unlock()
}

func (s *Peer) brokenLocked(l *link, err error) {
	_ = l.conn.Close()
	l.poke()
	if s.link != l {
		return
	}
	s.link = nil
	if s.over {
		return
	}
	if err == io.EOF {
		err = errors.New("the other side is gone")
	}
	why := fail(PeerLost, "%s: the link broke: %v", s.name, err)
	why.Node = s.name
	if s.peerDone && l.said {
		s.end(nil)
		return
	}
	if s.done() {
		s.armDone()
	}
	if s.grace() <= 0 {
		s.end(why)
		return
	}
	s.lostLink()
	s.down = time.AfterFunc(s.grace(), func() {
		s.n.lock()
		if s.link == nil {
			s.end(why)
		}
		s.n.unlock()
	})
	if s.dialer {
		go s.redial(why)
	}
}

// redial makes new links until one is welcomed, or the session ends.
func (s *Peer) redial(why *Error) {
	pause := 5 * time.Millisecond
	for k := 1; ; k++ {
		limit := 300 * time.Millisecond
		if k%4 == 0 {
			limit = 4 * time.Second
		}
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		l, err := s.attempt(ctx)
		cancel()
		s.n.lock()
		if s.over || err == nil {
			if s.over && l != nil {
				_ = l.conn.Close()
			} else if l != nil {
				s.start(l)
			}
			s.n.unlock()
			return
		}
		var e *Error
		host, _, _ := net.SplitHostPort(s.addr)
		here := s.network == "unix" || loopback(host)
		if s.done() && errors.As(err, &e) { // only the other side's last word is missing
			s.end(nil)
			s.n.unlock()
			return
		}
		if errors.As(err, &e) || here && (errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, os.ErrNotExist)) {
			why.Detail += fmt.Sprintf("; and then: %v", err)
			s.end(why)
			s.n.unlock()
			return
		}
		s.n.unlock()
		select {
		case <-time.After(pause):
		case <-s.ended:
			return
		}
		if pause *= 2; pause > 300*time.Millisecond {
			pause = 300 * time.Millisecond
		}
	}
}

// end is the end of a session: err nil is an orderly one.
func (s *Peer) end(err *Error) {
	if s.over {
		return
	}
	s.over, s.err = true, err
	if err != nil && err.Node == "" {
		err.Node = s.name
	}
	delete(s.n.peers, s)
	if !s.dialer {
		delete(s.n.accepted, s.key)
	}
	for _, t := range []*time.Timer{s.down, s.doneTimer} {
		if t != nil {
			t.Stop()
		}
	}
	if l := s.link; l != nil {
		l.closeAfter = true
		s.link = nil
		l.poke()
	}
	s.endCalls()
	s.endEnds()
	s.queue, s.kept = nil, nil
	close(s.ended)
}

// lostWord is how an operation ends that the end of the session has overtaken.
func (s *Peer) lostWord() *Error {
	if s.err != nil {
		e := *s.err
		e.Code, e.Why = PeerLost, OK
		return &e
	}
	e := fail(PeerLost, "%s has left", s.name)
	e.Node = s.name
	return e
}

// buffered gives frames out of a reader; its room grows only with what has arrived.
type buffered struct {
	r    io.Reader
	b    []byte
	from int
}

func (r *buffered) next(n int) ([]byte, error) {
	for len(r.b)-r.from < n {
		if r.from > 0 {
			r.b = append(r.b[:0], r.b[r.from:]...)
			r.from = 0
		}
		if cap(r.b)-len(r.b) < 4096 {
			grown := make([]byte, len(r.b), 2*cap(r.b)+4096)
			copy(grown, r.b)
			r.b = grown
		}
		k, err := r.r.Read(r.b[len(r.b):cap(r.b)])
		r.b = r.b[:len(r.b)+k]
		if err != nil && len(r.b)-r.from < n {
			if err == io.EOF && len(r.b) > r.from {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
	r.from += n
	return r.b[r.from-n : r.from : r.from], nil
}
