package leat

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"time"
)

const noDeadline = 1<<64 - 1

// A call is one call or remote task under way: on the side that asks, or on the one that answers.
type call struct {
	outbox
	id      uint64
	name    string
	task    bool
	in      *desc
	outD    *desc
	bytes   int // of the argument, as they count against the limits
	began   bool
	again   bool // it was refused for a type, and fits: it is made again
	againBy *bridge
	tell    bool    // the form of the argument goes with it
	by      *bridge // how a result of another type is read
	ask     bool    // only what the types are there: no argument, and certainly refused
	asking  bool    // it was not sent, as it moves a receive end: ask first

	// who asks
	deadline time.Time
	timeAt   int  // where a frame says it
	timed    bool // that frame is made
	key      string
	settled  chan struct{}
	err      *Error
	result   reflect.Value
	gaveUp   bool // a call that nobody waits for any more
	askedOff bool // CANCEL has been sent

	// both: what comes in pieces
	part    []byte
	parting bool
	head    answer

	// who answers
	kind     byte
	length   uint64
	within   uint64
	element  uint64
	try      uint64
	inPrint  [16]byte
	outPrint [16]byte
	cancel   func(error)
	canceled bool
	cause    *Error
	answered bool
}

// An answer is what RESULT says, but for the value.
type answer struct {
	code   Code
	own    bool
	detail string
	form   []byte
}

func (c *call) blocked() bool { return false }

// build writes the next piece of OPEN or RESULT, or a small frame.
func (c *call) build() (kind, flags byte, fields []byte, ok bool) {
	if len(c.items) == 0 {
		return 0, 0, nil, false
	}
	it := c.items[0]
	b := putVarint(nil, c.id)
	switch it.kind {
	case kCancel:
		b = append(b, byte(it.code))
	case kDone:
		delete(c.s.answering, c.id)
	default:
		if c.off == 0 && it.kind == kOpen {
			b = c.openHead(b, it)
			c.began = true
		} else if c.off == 0 {
			b = c.s.putForm(append(b, it.head...), it.form)
		}
		piece := it.bytes[c.off:]
		if len(piece) > pieceMax {
			piece, flags = piece[:pieceMax], flagMore
		}
		b = append(b, piece...)
		if c.off += len(piece); flags != 0 {
			return it.kind, flags, b, true
		}
		c.off = 0
		written(it.passed)
		if it.kind == kResult {
			c.s.finishAnswer(c, len(it.bytes))
		}
	}
	c.items[0] = outItem{}
	c.items = c.items[1:]
	if it.kind != kOpen {
		c.s.owed--
	}
	return it.kind, 0, b, true
}

func (c *call) openHead(b []byte, it outItem) []byte {
	if (c.task || c.in.ends) && !c.s.told[c.in.print] && c.s.mayTell(c.in.form) {
		c.tell = true // it cannot be made again
		if c.s.told == nil {
			c.s.told = map[[16]byte]bool{}
		}
		c.s.told[c.in.print] = true
	}
	kind := boolByte(c.task)
	if c.key != "" {
		kind |= 4
	}
	if c.tell {
		kind |= 8
	}
	b = putText(append(b, kind), c.name)
	c.timeAt = headerLen + 16 + len(b)
	b = put64(b, c.remains())
	b = append(b, c.in.print[:]...)
	var out [16]byte
	if c.outD != nil && !c.ask {
		out = c.outD.print
	}
	if c.by != nil {
		out = c.by.w.print
	}
	b = putVarint(append(b, out[:]...), uint64(len(it.bytes)))
	if c.key != "" {
		b = putText(b, c.key)
	}
	if c.tell {
		b = c.s.putForm(b, c.in.form)
	}
	return b
}

// remains is how many nanoseconds a call has until its deadline.
func (c *call) remains() uint64 {
	if c.deadline.IsZero() {
		return noDeadline
	}
	if left := time.Until(c.deadline); left > 0 {
		return uint64(left)
	}
	return 0
}

// -- who asks --------------------------------------------------------------------------------------------------------------------------

func (s *Peer) open(ctx context.Context, c *call, v reflect.Value) *Error {
	if ctx.Err() != nil {
		return ctxErr(ctx)
	}
	if c.name == "" || len(c.name) > 255 || len(c.key) > 64 {
		return fail(Inval, "a name of 1 to 255 bytes, and a key of at most 64")
	}
	if c.key != "" && (c.in.ends || c.outD.ends) {
		return fail(Inval, "%s: a call with a key cannot have ends of channels in it", c.name)
	}
	s.n.lock()
	defer s.n.unlock()
	if s.over || s.byeWanted || s.peerBye {
		return s.lostWord()
	}
	enc := &encoder{s: s}
	var err *Error
	if !c.ask {
		err = asError(enc.value(c.in, v, ""))
	}
	if err == nil && !c.task && movesRx(enc.ends) {
		var known bool
		if c.by, known = s.learned[typesOf(c)]; !known && s.mayTell(c.in.form) {
			undoEnds(enc.ends)
			c.asking = true
			return nil
		}
	}
	switch {
	case err != nil:
	case len(enc.b) > limitElem:
		err = fail(Limit, "an argument of %d bytes: at most %d", len(enc.b), limitElem)
	case uint32(len(s.asked)) >= s.peerLimits.opens || s.argBytes+len(enc.b) > int(s.peerLimits.bytes):
		err = fail(Limit, "more calls under way than %s takes", s.name)
	}
	if err != nil {
		undoEnds(enc.ends)
		return err
	}
	commitEnds(enc.ends)
	c.id, c.s, c.src = s.nextCall, s, c
	s.nextCall += 2
	c.deadline, _ = ctx.Deadline()
	c.settled = make(chan struct{})
	c.bytes = len(enc.b)
	s.argBytes += c.bytes
	s.asked[c.id] = c
	c.push(outItem{kind: kOpen, bytes: enc.b, passed: enc.ends})
	return nil
}

func (s *Peer) forget(c *call) {
	if s.asked[c.id] == c {
		delete(s.asked, c.id)
		s.argBytes -= c.bytes
	}
}

func (c *call) settle(err *Error) {
	c.err = err
	close(c.settled)
}

// giveUp ends the waiting for a call, as its context is over.
func (c *call) giveUp(ctx context.Context) *Error {
	s := c.s
	s.n.lock()
	defer s.n.unlock()
	select {
	case <-c.settled:
		return c.err
	default:
	}
	why := ctxErr(ctx)
	if !c.began && len(c.items) > 0 && !movesRx(c.items[0].passed) {
		undoEnds(c.items[0].passed)
		c.items = nil
		s.forget(c)
		return why
	}
	c.gaveUp = true
	c.askOff(ctx)
	if c.ask {
		return why
	}
	return unknown(why.Code, "%s at %s: %s; it may have run", c.name, s.name, why.Detail)
}

func movesRx(list []*passed) bool {
	for _, p := range list {
		if p.h.rx {
			return true
		}
	}
	return false
}

func (c *call) askOff(ctx context.Context) {
	if !c.askedOff && !c.s.over {
		c.askedOff = true
		c.push(outItem{kind: kCancel, code: causeCode(ctx)})
	}
}

func causeCode(ctx context.Context) Code {
	if code := CodeOf(Cause(ctx)); code != OK && code != Remote {
		return code
	}
	return Canceled
}

// onResult is an answer that has come whole.
func (c *call) onResult(b []byte) error {
	s := c.s
	s.forget(c)
	a := c.head
	if a.code == OK && c.ask {
		return errSense
	}
	if a.code != OK {
		e := c.errorOf(a)
		if len(b) > 0 {
			var err error
			if !a.own || s.minor < 2 {
				return errSense
			} else if e.Value, err = readValue(b, s.name); err != nil {
				return err
			}
		}
		if !c.gaveUp {
			c.settle(e)
		}
		return nil
	}
	if c.outD == nil {
		if len(b) > 0 {
			return errSense
		}
	} else {
		v := reflect.New(c.outD.rt).Elem()
		if err := decodeAs(c.by, c.outD, b, s, v); err != nil {
			return err
		}
		if c.result = v; c.gaveUp {
			letGoIn(c.outD, v)
		}
	}
	if !c.gaveUp {
		c.settle(nil)
	}
	return nil
}

// errorOf is what the caller is told: the function's own error comes with the peer's name, and is Remote where its code would be taken for
// one of this session; its own Deadline or Canceled is Unknown, as it has run.
func (c *call) errorOf(a answer) *Error {
	e := &Error{Code: a.code, Detail: c.s.name + ": " + a.detail, Node: c.s.name}
	switch {
	case !a.own && a.code == TypeErr:
		e.form = a.form
		c.otherType(e, strings.HasPrefix(a.detail, "result") && c.outD != nil)
	case !a.own:
	case a.code == PeerLost || a.code == Unknown || a.code == Sys || a.code == Gone || a.code == Again || a.code > Sys:
		e.Code = Remote
	case (a.code == Deadline || a.code == Canceled) && !c.task:
		e.Code, e.Why = Unknown, a.code
	}
	return e
}

// otherType says whether a call that was refused for a type is made again, and how; else what does not fit.
func (c *call) otherType(e *Error, result bool) {
	w, err := readForm(e.form)
	what, why := "argument: ", "the peer has another type"
	if result {
		what = "result: "
	}
	switch {
	case err != nil:
	case result && c.ask && w.print == c.outD.print:
		c.again = true
	case result:
		if why = fits(w, c.outD); why == "" && c.by == nil {
			c.againBy, _ = bridgeOf(w, c.outD)
			c.again = c.againBy != nil
		}
	default:
		if why = fits(c.in, w); why == "" && !c.tell {
			c.again = c.s.mayTell(c.in.form)
		}
	}
	e.Detail = c.name + " at " + c.s.name + ": " + what + why
	if c.ask && c.again {
		if c.s.learned == nil {
			c.s.learned = map[types]*bridge{}
		}
		c.s.learned[typesOf(c)] = c.againBy
	}
}

// types are those of a method as one side has them.  A call that moves a receive end goes once, since a refusal would lose the end: so the
// first such call of a session asks for the other side's types, by an OPEN without an argument and with a result of no type.
type types struct {
	name    string
	in, out *desc
}

func typesOf(c *call) types { return types{c.name, c.in, c.outD} }

// endCalls ends all calls of a session that ends, or whose peer has said its last.
func (s *Peer) endCalls() {
	asked := s.asked
	s.asked, s.argBytes = map[uint64]*call{}, 0
	for _, c := range asked {
		if c.gaveUp {
			continue
		}
		e := s.lostWord()
		if (c.began || len(c.items) == 0) && !c.ask {
			e.Code, e.Why = Unknown, PeerLost
			e.Detail = c.name + " may have run: " + e.Detail
		}
		c.items = nil
		c.settle(e)
	}
	for _, c := range s.answering {
		if c.cancel != nil {
			c.cancel(s.lostWord())
		}
	}
}

// -- frames ----------------------------------------------------------------------------------------------------------------------------

func (s *Peer) callFrame(kind byte, more bool, in *cursor) error {
	id := in.varint()
	if in.err != nil {
		return errSense
	}
	switch kind {
	case kOpen:
		return s.onOpen(id, more, in)
	case kCancel:
		cause := Code(in.u8())
		if in.err != nil {
			return errSense
		}
		if c := s.answering[id]; c != nil && !c.canceled {
			c.onCancel(cause)
		}
		return nil
	case kDone:
		c := s.asked[id]
		if c == nil {
			return nil
		}
		if !c.askedOff {
			return errors.New("it ends a call that nobody has cancelled")
		}
		s.forget(c)
		if !c.gaveUp {
			c.settle(unknown(Canceled, "%s at %s was cancelled; it may have run", c.name, s.name))
		}
		return nil
	}
	c := s.asked[id]
	if c == nil {
		if s.mine(id) {
			return nil
		}
		return errSense
	}
	if !c.parting {
		c.head = answer{code: Code(in.u8()), own: in.u8() == 1, detail: string(in.text(0, frameMax))}
		c.head.form = append([]byte(nil), s.takeForm(in)...)
		if in.err != nil || c.head.code != OK && (more || in.left() > 0) && (!c.head.own || s.minor < 2) {
			return errSense
		}
	}
	b := in.take(in.left())
	if len(c.part)+len(b) > limitElem {
		return fail(Limit, "a result of more than %d bytes", limitElem)
	}
	c.part, c.parting = append(c.part, b...), more
	if more {
		return nil
	}
	return c.onResult(c.part)
}

func (s *Peer) mine(id uint64) bool { return (id&1 == 1) == s.dialer }

func (s *Peer) onOpen(id uint64, more bool, in *cursor) error {
	c := s.answering[id]
	if c == nil {
		c = &call{id: id}
		c.s, c.src = s, c
		c.kind, c.name = in.u8(), string(in.text(0, 255))
		c.within = in.number(8)
		c.inPrint, c.outPrint, c.length = in.id16(), in.id16(), in.varint()
		if c.kind&2 != 0 {
			c.element, c.try = in.varint(), in.varint()
		}
		if c.kind&4 != 0 {
			c.key = string(in.text(1, 64))
		}
		var form []byte
		if c.kind&8 != 0 {
			form = s.takeForm(in)
		}
		kind := c.kind &^ 8
		c.task = kind == 1
		if c.kind&8 != 0 && (s.minor < 1 || in.err == nil && !s.keepForm(c.inPrint, form)) {
			return errSense
		}
		if in.err != nil || kind > 6 || kind&1 != 0 && kind != 1 || s.mine(id) || id < 2 || c.kind&2 != 0 && c.try == 0 {
			return errSense
		}
		if c.length > limitElem || len(s.answering) >= int(ourLimits.opens) || s.owedBytes()+int(c.length) > int(ourLimits.bytes) {
			return fail(Limit, "more calls, or bytes of arguments, than this node takes")
		}
		s.answering[id] = c
		s.answeringBytes += int(c.length)
	} else if !c.parting {
		return errors.New("the id of a call is used twice")
	}
	b := in.take(in.left())
	if uint64(len(c.part)+len(b)) > c.length {
		return errSense
	}
	c.part, c.parting = append(c.part, b...), more
	if more {
		return nil
	}
	if uint64(len(c.part)) != c.length {
		return errSense
	}
	b, c.part = c.part, nil
	return s.serve(c, b)
}

const keptForms = 1 << 20 // bytes of forms that a peer may tell

// keepForm keeps the type of an argument for all calls to come; false: it is none, or not of that fingerprint.
func (s *Peer) keepForm(print [16]byte, form []byte) bool {
	if s.forms[print] != nil {
		return true
	}
	w, err := readForm(form)
	if err != nil || w.print != print {
		return false
	}
	if s.forms == nil || s.formBytes+len(form) > keptForms {
		s.forms, s.formBytes = map[[16]byte]*desc{}, 0
	}
	s.forms[print] = w
	s.formBytes += len(form)
	return true
}

func (s *Peer) owedBytes() int { return s.answeringBytes }
