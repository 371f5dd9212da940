package leat

import (
	"errors"
	"reflect"
)

// An outbox is what one object, an end or a call, has to write: its frames in their order.  The session takes the objects in turn.
type outbox struct {
	s   *Peer
	src interface {
		build() (kind, flags byte, fields []byte, ok bool)
		blocked() bool
	}
	items  []outItem
	held   int // messages that carry this object and are not written yet: nothing may go before them
	queued bool
	off    int // how much of the first item is written
}

type outItem struct {
	kind    byte
	num     uint64
	code    Code
	certain byte
	text    string
	form    []byte
	head    []byte // what is written before the bytes: of an offer or a call
	bytes   []byte
	how     byte
	passed  []*passed
	w       *waiter
}

// ready puts the outbox in the session's line if there is something to write.
func (o *outbox) ready() {
	if !o.queued && o.held == 0 && len(o.items) > 0 && !o.s.over && !o.src.blocked() {
		o.queued = true
		o.s.queue = append(o.s.queue, o)
		o.s.poke()
	}
}

func (o *outbox) push(i outItem) {
	o.items = append(o.items, i)
	if i.kind != kElem && i.kind != kOpen {
		o.s.owed++
	}
	o.ready()
}

// An end is what joins a channel to one session: there are two of them for one id, a site's and a home's (or relay's).
type end struct {
	outbox
	id        uint64
	c         *channel
	site      bool
	attached  bool // a site: the home has answered, or has made this end
	dropped   bool
	pins      int // messages on their way that bring this end home
	name      string
	wait      chan *Error // who waits for ATTACHED
	importing *handle
	asPrint   [16]byte
	asType    *desc // the type that the exporter has, if it is another

	// totals
	granted, accepted, returned uint64
	acceptedBytes               uint64
	sent, sentBytes             uint64 // a site: what it has put up
	writtenBytes                uint64
	arrived, arrivedBytes       uint64 // of a home or relay
	toldBytes                   uint64

	need               uint64 // below: senders that wait, or selects
	needTold, needSeen uint64 // a site: what NEED said
	ask, askOut        bool   // a site: there is something to ask; what was asked is not answered
	asking, told       bool   // below a relay: it waits for an answer of the home, and the home has been told
	inNeedy            bool
	recalled           bool
	streams            bool // its senders have waited: it may be lent what nobody asked for
	invited            bool
	dueNow             map[byte]bool
	finished, sealed   bool // below: FINISH or DROP, SEALED have come
	sealSaid, lostSaid bool
	closeSaid          bool
	flushTo            uint64 // below: accepted must reach this before FLUSHED
	flushWanted        bool
	offers             uint64 // how many offers there have been
	offered            *waiter
	offerPassed        []*passed
	offering           bool    // below: it has an offer that is not answered
	by                 *bridge // below: its elements are of another type
	typed              bool    // below: TYPE has come
	part               []byte
	parting            bool
}

func (s *Peer) newEnd(id uint64, c *channel, site bool) *end {
	e := &end{id: id, c: c, site: site, dueNow: map[byte]bool{}}
	e.s, e.src = s, e
	s.ends[id] = e
	return e
}

func (s *Peer) takeEndID() (uint64, *Error) {
	if uint32(len(s.ends)) >= ourLimits.ends || uint32(len(s.ends)) >= s.peerLimits.ends {
		return 0, fail(Limit, "more ends of channels than %s takes", s.name)
	}
	id := s.nextEnd
	s.nextEnd += 2
	return id, nil
}

// join puts an end below a channel.
func (c *channel) join(e *end) {
	c.below[e] = true
	c.unfinished++
	c.unsealed++
}

func (e *end) out() int { return int(e.granted - e.returned - e.arrived) }

// push has a frame written in its turn; none goes behind DROP.
func (e *end) push(i outItem) {
	if !e.dropped || i.kind == kDrop {
		e.outbox.push(i)
	}
}

// due says a total of this end, once it is written: there is at most one of a kind that waits.
func (e *end) due(kind byte) {
	if !e.dueNow[kind] {
		e.dueNow[kind] = true
		e.push(outItem{kind: kind})
	}
}

func (e *end) answer(kind byte, num uint64) {
	e.offering, e.invited = false, false
	e.push(outItem{kind: kind, num: num})
	e.c.touch()
}

// send puts an element of this node, or of a site below, on its way up.
func (e *end) send(v reflect.Value, from *end) *Error {
	enc, err := e.encode(v)
	if err != nil {
		return err
	}
	e.commit(enc.ends)
	e.sent++
	e.sentBytes += uint64(len(enc.b))
	e.c.runs = append(e.c.runs, run{from, len(enc.b)})
	e.push(outItem{kind: kElem, bytes: enc.b, passed: enc.ends})
	return nil
}

func (e *end) encode(v reflect.Value) (*encoder, *Error) {
	enc := &encoder{s: e.s}
	err := enc.value(e.c.d, v, "")
	if err == nil && len(enc.b) > limitElem {
		err = fail(Limit, "an element of %d bytes: at most %d", len(enc.b), limitElem)
	}
	if err != nil {
		e.undo(enc.ends)
		return nil, asError(err)
	}
	return enc, nil
}

func asError(err error) *Error {
	var e *Error
	if err == nil {
		return nil
	}
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: CodeOf(err), Detail: err.Error()}
}

func (e *end) offer(w *waiter, how byte) *Error {
	enc, err := e.encode(w.val)
	if err != nil {
		return err
	}
	e.offers++
	e.sent++
	e.offered, e.offerPassed = w, enc.ends
	w.op.state = opTrying
	w.op.noLink = e.s.link == nil
	head := putVarint(nil, e.offers)
	if how == 4 {
		head = putVarint(append(head, w.op.inc[:]...), w.op.count)
	}
	e.push(outItem{kind: kElem, how: how, num: e.offers, head: head, bytes: enc.b, passed: enc.ends, w: w})
	return nil
}

// answered ends the offer that is out: taken, or not.
func (e *end) answered(kind byte, num uint64) error {
	w := e.offered
	if num > e.offers || num == 0 {
		return errors.New("an answer to an offer that was never made")
	}
	if w == nil || num != e.offers || len(e.items) > 0 && e.items[0].w == w {
		return nil
	}
	passedEnds := e.offerPassed
	e.offered, e.offerPassed = nil, nil
	e.c.touch()
	if kind == kTaken {
		e.accepted++
		e.commit(passedEnds)
		w.fire(nil)
		return nil
	}
	e.undoOffer(passedEnds)
	switch {
	case w.op.state == opDone:
	case w.from != nil && kind == kWithdrawn:
		w.op.state = opDone
		w.op.remove()
		w.from.answer(kWithdrawn, w.num)
		letGoIn(e.c.d, w.val)
	case w.op.leave:
		w.fire(fail(Canceled, "it was given up, and not taken"))
	case kind == kBusy && w.op.sel && w.from == nil:
		w.op.back()
	default:
		w.fire(fail(Again, "nobody waits there"))
	}
	return nil
}

// takeBack takes an offer back that is not written yet; it is certain then.
func (e *end) takeBack(w *waiter) bool {
	for i, it := range e.items {
		if it.w == w {
			if i == 0 && e.off > 0 {
				return false
			}
			e.items = append(e.items[:i], e.items[i+1:]...)
			e.offers--
			e.sent--
			e.undo(e.offerPassed)
			e.offered, e.offerPassed = nil, nil
			e.c.touch()
			return true
		}
	}
	return false
}

// -- writing --------------------------------------------------------------------------------------------

// blocked: the window for elements is shut.
func (e *end) blocked() bool {
	if len(e.items) == 0 || e.items[0].kind != kElem || e.items[0].how != 0 || e.off > 0 {
		return false
	}
	way := e.writtenBytes - e.acceptedBytes
	return way > 0 && way+uint64(len(e.items[0].bytes)) > windowBytes
}

func (e *end) build() (kind, flags byte, fields []byte, ok bool) {
	if len(e.items) == 0 || e.blocked() {
		return 0, 0, nil, false
	}
	it := e.items[0]
	if it.kind == kElem {
		return e.buildElem()
	}
	e.items = e.items[1:]
	e.s.owed--
	delete(e.dueNow, it.kind)
	b := putVarint(nil, e.id)
	switch it.kind {
	case kAttach:
		b = append(b, boolByte(!e.importing.rx))
		b = putText(append(b, e.asPrint[:]...), e.name)
	case kAttached:
		b = e.buildAttached(b, it)
	case kNeed:
		n := e.c.needs()
		ask := e.ask && !e.askOut
		seen := e.granted
		if e.c.capacity == 0 {
			ask, seen = false, 0
			if n == e.needTold {
				return 0, 0, nil, false
			}
			e.invited = e.invited && n > 0
		}
		e.needTold, e.needSeen = n, e.granted
		if ask {
			e.c.allTold()
		}
		b = append(putVarint(putVarint(b, n), seen), boolByte(ask))
	case kGrant:
		e.toldBytes = e.acceptedBytes
		b = putVarint(putVarint(putVarint(b, e.granted), e.accepted), e.acceptedBytes)
	case kReturn:
		b = putVarint(b, e.returned)
	case kTaken, kBusy, kWithdraw, kWithdrawn:
		b = putVarint(b, it.num)
	case kSeal:
		if b = append(b, byte(it.code)); it.code == PeerLost {
			b = putText(putVarint(putVarint(append(b, it.certain), e.accepted), e.acceptedBytes), it.text)
		}
	case kSealed, kFinish:
		b = putVarint(b, e.sent)
	case kFlushed:
		b = putVarint(putVarint(b, e.accepted), e.acceptedBytes)
	case kTorn:
		b = putText(b, it.text)
	case kType:
		b = e.s.putForm(b, it.form)
	case kDrop:
		delete(e.s.ends, e.id)
	}
	return it.kind, 0, b, true
}

func (e *end) buildAttached(b []byte, it outItem) []byte {
	b = append(b, byte(it.code))
	if it.code != OK {
		return e.s.putForm(putText(b, it.text), it.form)
	}
	b = put32(b, uint32(e.c.capacity))
	if it.num > 0 {
		b = putText(append(b, byte(it.num)), it.text)
	}
	return b
}

// buildElem makes the next ELEM: as many small elements as fit, or a piece of a large one, or of an offer.
func (e *end) buildElem() (kind, flags byte, fields []byte, ok bool) {
	b := putVarint(nil, e.id)
	it := e.items[0]
	if it.how == 0 && len(it.bytes) <= pieceMax {
		b = append(b, 0)
		for len(e.items) > 0 && e.items[0].kind == kElem && e.items[0].how == 0 && !e.blocked() {
			it = e.items[0]
			if len(it.bytes) > pieceMax || len(b) > 16 && len(b)+len(it.bytes)+4 > pieceMax {
				break
			}
			b = append(putVarint(b, uint64(len(it.bytes))), it.bytes...)
			e.writtenBytes += uint64(len(it.bytes))
			e.items[0] = outItem{}
			e.items = e.items[1:]
			written(it.passed)
		}
		return kElem, 0, b, true
	}
	what := it.how
	if what == 0 {
		what = 1
		if e.off == 0 {
			e.writtenBytes += uint64(len(it.bytes))
		}
	}
	b = append(append(b, what), it.head...)
	piece := it.bytes[e.off:]
	if len(piece) > pieceMax {
		piece, flags = piece[:pieceMax], flagMore
	}
	b = append(b, piece...)
	if e.off += len(piece); flags == 0 {
		e.off = 0
		e.items[0] = outItem{}
		e.items = e.items[1:]
		written(it.passed)
	}
	return kElem, flags, b, true
}
