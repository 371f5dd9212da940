package leat

import (
	"errors"
	"reflect"
)

var (
	errGap   = errors.New("a number is missing")
	errSense = errors.New("fields that do not make sense")
	errSide  = errors.New("it comes from the wrong side of an end")
)

// frame handles one frame.  An error ends the session; errGap ends the link.
func (s *Peer) frame(l *link, kind, flags byte, b []byte) error {
	c := &cursor{b: b}
	if kindNames[kind] == "" || kind == kHello || kind == kWelcome {
		return errors.New("this version does not know that kind")
	}
	if flags&flagMore != 0 && kind != kElem && kind != kOpen && kind != kResult && kind != kForm {
		return errors.New("flags that make no sense")
	}
	if kind < numbered {
		return s.short2(l, kind, c)
	}
	number, ack := c.number(8), c.number(8)
	if c.err != nil || number == 0 {
		return errSense
	}
	if ack > s.outNum {
		return errors.New("it acknowledges what was not sent")
	}
	if number <= s.inNum {
		return nil
	}
	if number != s.inNum+1 {
		return errGap
	}
	if s.peerBye {
		return errors.New("it comes behind BYE")
	}
	s.inNum++
	s.unackedN++
	s.unackedB += len(b)
	s.acknowledged(ack)
	if s.unackedN >= 1024 || s.unackedB >= 512<<10 {
		s.poke()
	}
	if s.owed > 1<<17 {
		return fail(Limit, "it asks and does not read")
	}
	switch {
	case kind == kBye:
		s.peerBye = true
		s.peerLeaves()
		s.leave()
		return nil
	case kind == kForm:
		return s.onForm(flags&flagMore != 0, c)
	case kind >= kOpen:
		return s.callFrame(kind, flags&flagMore != 0, c)
	}
	return s.endFrame(kind, flags&flagMore != 0, c)
}

func (s *Peer) acknowledged(ack uint64) {
	if ack > s.acked {
		s.ackUpTo(ack)
		s.poke()
	}
}

func (s *Peer) short2(l *link, kind byte, c *cursor) error {
	if kind == kDead {
		code, reason := Code(c.u8()), string(c.text(0, 400))
		if c.err != nil {
			return errSense
		}
		if code == OK && s.byeSent && s.peerBye {
			s.peerDone = true
			s.acknowledged(s.outNum)
			if l.said {
				s.end(nil)
			} else {
				s.poke()
			}
			return nil
		}
		s.end(fail(PeerLost, "%s has ended the session: %s %s", s.name, code, reason))
		return nil
	}
	ack := c.number(8)
	if c.err != nil || ack > s.outNum {
		return errors.New("it acknowledges what was not sent")
	}
	s.acknowledged(ack)
	if kind == kPing {
		l.pong = true
		s.poke()
	}
	return nil
}

// peerLeaves ends what waits for an answer that will not come, as the peer has said its last.
func (s *Peer) peerLeaves() {
	s.endCalls()
	s.endEnds()
}

func (s *Peer) endFrame(kind byte, more bool, c *cursor) error {
	id := c.varint()
	if c.err != nil {
		return errSense
	}
	if kind == kAttach {
		return s.onAttach(id, c)
	}
	e := s.ends[id]
	if e == nil {
		return nil
	}
	fromHome := kind == kAttached || kind == kGrant || kind == kNone || kind == kRecall || kind == kInvite || kind == kTaken ||
		kind == kBusy || kind == kWithdrawn || kind == kSeal || kind == kFlushed
	if fromHome != e.site {
		return errSide
	}
	e.c.touch()
	var err error
	if fromHome {
		err = e.fromHome(kind, c)
	} else {
		err = e.fromSite(kind, more, c)
	}
	if err == nil && c.err != nil {
		err = errSense
	}
	return err
}

// -- what a site hears --------------------------------------------------------------------------------------------

func (e *end) fromHome(kind byte, c *cursor) error {
	if kind == kAttached {
		return e.onAttached(c)
	}
	if !e.attached {
		return errSense
	}
	ch := e.c
	if ch.up != e { // a receive end that has not left, or was let go of again, in an offer
		return nil
	}
	switch kind {
	case kGrant:
		return e.onGrant(c)
	case kNone:
		e.askOut = false
		ch.answerTries(true)
	case kRecall:
		e.recalled = true
		e.due(kReturn)
	case kInvite:
		e.invited = true
	case kTaken, kBusy, kWithdrawn:
		num := c.varint()
		if c.err != nil {
			return errSense
		}
		return e.answered(kind, num)
	case kFlushed:
		accepted, n := c.varint(), c.varint()
		if c.err != nil {
			return errSense
		}
		return e.onAccepted(accepted, n)
	case kSeal:
		return e.onSeal(c)
	}
	return nil
}

func (e *end) onGrant(c *cursor) error {
	granted, accepted, n := c.varint(), c.varint(), c.varint()
	if c.err != nil {
		return errSense
	}
	if granted < e.granted { // overtaken by a later one
		granted = e.granted
	}
	if granted-e.returned-e.sent > uint64(e.c.capacity) || granted < e.returned+e.sent {
		return errors.New("more credits than the channel has slots")
	}
	if granted > e.granted {
		e.recalled = false
		e.granted = granted
		e.askOut = false
		e.c.serve()
		e.c.answerTries(false)
	}
	return e.onAccepted(accepted, n)
}

// allTold marks who is meant by the NEED that asks: one answer is awaited at a time, and who comes meanwhile is none of its business.
func (c *channel) allTold() {
	c.up.ask, c.up.askOut = false, true
	for _, w := range c.sendq {
		w.told = w.asked
	}
	for _, x := range c.asking {
		x.told = x.asking
	}
}

// answerTries is for an answer of the home.  NONE is one for all that it had been told of.  Credits may have been less than there are
// tries here and below: then the home, which may have more, is asked again; unless others wait here, who come first.
func (c *channel) answerTries(none bool) {
	if c.capacity == 0 {
		return
	}
	live := !c.closing && c.lost == nil
	again := live && c.needs() == 0
	for _, w := range append([]*waiter(nil), c.sendq...) {
		if !w.asked || !w.open() {
			continue
		}
		if none && !w.told || !none && again {
			c.up.ask = true
		} else {
			w.fire(fail(Again, "there is no slot"))
		}
	}
	asking := c.asking
	c.asking = nil
	for _, x := range asking {
		switch {
		case !x.asking:
		case c.free() > 0:
			c.grant(x, 1)
		case none && !x.told && live || !none && again:
			c.asking = append(c.asking, x)
			c.up.ask = true
		default:
			x.asking = false
			x.push(outItem{kind: kNone})
		}
	}
}

// onAccepted takes the totals of the home, and tells those below what of it is theirs.
func (e *end) onAccepted(accepted, bytes uint64) error {
	ch := e.c
	if ch.capacity == 0 {
		return e.flushedUnbuffered()
	}
	if accepted > e.sent || bytes > e.sentBytes {
		return errors.New("more accepted than was sent")
	}
	if bytes > e.acceptedBytes {
		e.acceptedBytes = bytes
		e.ready()
	}
	for ; e.accepted < accepted; e.accepted++ {
		r := ch.runs[0]
		ch.runs = ch.runs[1:]
		if x := r.e; x != nil && !x.dropped {
			x.accepted++
			x.acceptedBytes += uint64(r.bytes)
			x.maybeFlushed()
			if x.acceptedBytes-x.toldBytes >= windowTold/2 {
				x.due(kGrant)
			}
		}
	}
	kept := ch.flushes[:0]
	for _, f := range ch.flushes {
		if e.accepted >= f.target {
			f.wake <- nil
		} else {
			kept = append(kept, f)
		}
	}
	ch.flushes = kept
	return nil
}

func (e *end) flushedUnbuffered() error {
	for _, f := range e.c.flushes {
		f.wake <- nil
	}
	e.c.flushes = nil
	for x := range e.c.below {
		x.maybeFlushed()
	}
	return nil
}

// maybeFlushed answers a FLUSH from below when the home has what was sent before it.
func (e *end) maybeFlushed() {
	if e.flushWanted && (e.accepted >= e.flushTo || e.c.capacity == 0) {
		e.flushWanted = false
		e.toldBytes = e.acceptedBytes
		e.due(kFlushed)
	}
}

func (e *end) onSeal(c *cursor) error {
	code := Code(c.u8())
	ch := e.c
	switch code {
	case Closed, Gone:
		if c.err != nil {
			return errSense
		}
		e.notTaken()
		ch.seal(code)
	case PeerLost:
		certain, accepted, n := c.u8(), c.varint(), c.varint()
		who := string(c.text(0, 199))
		if c.err != nil || certain > 1 {
			return errSense
		}
		if err := e.onAccepted(accepted, n); err != nil {
			return err
		}
		if ch.lost == nil {
			ch.lost = fail(PeerLost, "%s was lost", who)
			ch.lost.Node = who
			e.lostOffer(certain == 1)
			if !ch.sealedUp {
				ch.sealedUp = true
				e.push(outItem{kind: kSealed})
			}
		}
	default:
		return errSense
	}
	return nil
}

// notTaken ends the offer that is out, as SEAL has come and not TAKEN.
func (e *end) notTaken() {
	if w := e.offered; w != nil {
		e.offered = nil
		e.undoOffer(e.offerPassed)
		e.offerPassed = nil
		if w.op.state == opTrying {
			w.op.state = opOpen
		}
	}
}

// lostOffer ends the offer that is out, as its session, or a relay's, is lost.
func (e *end) lostOffer(certain bool) {
	w := e.offered
	e.c.certain = certain || w == nil
	if w == nil {
		return
	}
	e.offered = nil
	switch {
	case certain:
		e.undoOffer(e.offerPassed)
		w.op.state = opOpen
	case w.from != nil:
		w.op.state = opOpen // endLostSite tells those below
	default:
		commitEnds(e.offerPassed)
		err := unknown(PeerLost, "perhaps received: %s", e.c.lost.Detail)
		err.Node = e.c.lost.Node
		w.fire(err)
	}
	e.offerPassed = nil
}

// -- what a home, or relay, hears --------------------------------------------------------------------------------------------

func (e *end) fromSite(kind byte, more bool, c *cursor) error {
	ch := e.c
	switch kind {
	case kNeed:
		return e.onNeed(c)
	case kReturn:
		n := c.varint()
		if c.err != nil || n < e.returned || n-e.returned > uint64(e.out()) {
			return errors.New("it returns more than it has")
		}
		ch.lentOut -= int(n - e.returned)
		e.returned = n
	case kElem:
		return e.onElem(more, c)
	case kWithdraw:
		num := c.varint()
		if c.err != nil || num > e.offers {
			return errSense
		}
		e.onWithdraw(num)
	case kClose:
		ch.closeSaid = true
	case kSealed, kFinish:
		sent := c.varint()
		if c.err != nil || ch.capacity > 0 && sent != e.arrived || kind == kSealed && e.sealed || kind == kFinish && e.finished {
			return errSense
		}
		e.ends(kind == kFinish)
	case kFlush:
		e.flushWanted, e.flushTo = true, e.arrived
		e.maybeFlushed()
		if e.flushWanted && ch.up != nil {
			if ch.lost == nil {
				ch.up.push(outItem{kind: kFlush})
			} else {
				e.flushWanted = false
			}
		}
	case kType:
		return e.onType(c)
	case kTorn:
		who := string(c.text(0, 199))
		if c.err != nil {
			return errSense
		}
		e.tears(who, "")
	case kDrop:
		e.offering = false
		ch.dropOffers(e)
		e.ends(true)
		e.quit()
		delete(e.s.ends, e.id)
	}
	return nil
}

// onType is the type of all that comes on this end.
func (e *end) onType(c *cursor) error {
	form := e.s.takeForm(c)
	if c.err != nil || e.typed || e.arrived > 0 || e.offers > 0 || e.parting || e.s.minor < 1 {
		return errSense
	}
	e.typed = true
	if e.c.d.rt == nil {
		return nil
	}
	by, err := bridgeTo(form, e.c.d)
	if err != nil {
		return err
	}
	e.by = by
	return nil
}

// read reads an element of this end.  What nobody here has a type for is passed over.
func (e *end) read(b []byte) (reflect.Value, error) {
	if e.c.d.rt == nil {
		return reflect.Value{}, nil
	}
	v := reflect.New(e.c.d.rt).Elem()
	return v, decodeAs(e.by, e.c.d, b, e.s, v)
}

// ends notes that a site will not send any more, or has finished.
func (e *end) ends(finish bool) {
	if !e.sealed && !e.finished {
		e.c.unsealed--
	}
	if finish && !e.finished {
		e.finished = true
		e.c.unfinished--
	}
	if !finish {
		e.sealed = true
	}
	e.c.touch()
}

// tears says that a sender was lost: the channel will not end as closed.
func (e *end) tears(who, detail string) {
	ch := e.c
	if ch.up != nil {
		if ch.lost == nil && !ch.up.dropped {
			ch.up.push(outItem{kind: kTorn, text: who})
		}
		return
	}
	if ch.torn == nil {
		if detail == "" {
			detail = who + " was lost"
		}
		ch.torn = fail(PeerLost, "%s", detail)
		ch.torn.Node = who
	}
}

// quit takes an end from its channel: what it had of credits is free again.
func (e *end) quit() {
	ch := e.c
	if !ch.below[e] {
		return
	}
	e.dropped = true
	if !e.sealed && !e.finished {
		ch.unsealed--
	}
	if !e.finished {
		ch.unfinished--
	}
	delete(ch.below, e)
	ch.lentOut -= e.out()
	ch.touch()
}

func (c *channel) dropOffers(e *end) {
	for _, w := range append([]*waiter(nil), c.sendq...) {
		if w.from != e || w.op.state == opDone {
			continue
		}
		if w.op.state == opTrying && c.up != nil && c.up.offered == w && !c.up.takeBack(w) {
			c.up.push(outItem{kind: kWithdraw, num: c.up.offers})
		}
		w.op.state = opDone
		w.op.remove()
		letGoIn(c.d, w.val)
	}
}

func (e *end) onNeed(c *cursor) error {
	count, seen, ask := c.varint(), c.varint(), c.u8()
	ch := e.c
	if c.err != nil || ask > 1 || seen > e.granted || count > 1<<40 {
		return errSense
	}
	if ch.capacity == 0 {
		was := e.need
		e.need = count
		if count == 0 && e.invited {
			e.invited = false
			if was > 0 && ch.up != nil && !e.offering {
				ch.up.invited = true
			}
		}
		return nil
	}
	if count > 0 {
		e.streams, ch.hot = true, e
	}
	e.need = 0
	given := e.granted - seen
	if count > given {
		e.need = count - given
	}
	if !e.inNeedy && e.need > 0 {
		e.inNeedy = true
		ch.needy = append(ch.needy, e)
	}
	before := e.granted
	if ask == 1 && count == 0 && given == 0 && !ch.closing && ch.leaving == nil && ch.free() > 0 {
		ch.grant(e, 1) // before it is lent to others, who may not use it
	}
	if ch.serve(); ask == 0 || e.granted > before || given > 0 || e.asking {
		return nil // what is under way is the answer: who does not get any of it asks once more
	}
	switch {
	case ch.up == nil || ch.lost != nil || ch.closing:
		e.push(outItem{kind: kNone})
	default:
		e.asking, e.told = true, false
		ch.asking = append(ch.asking, e)
		ch.up.ask = true
	}
	return nil
}

func (e *end) onElem(more bool, c *cursor) error {
	if e.sealed || e.finished {
		return errors.New("an element behind SEALED or FINISH")
	}
	what := c.u8()
	switch {
	case c.err != nil || what > 4 || (what < 2) != (e.c.capacity > 0):
		return errSense
	case what == 0:
		if more || c.left() == 0 || e.parting {
			return errSense
		}
		for c.left() > 0 && c.err == nil {
			if b := c.text(0, pieceMax); c.err == nil {
				if err := e.arrive(b); err != nil {
					return err
				}
			}
		}
		return nil
	case what == 1:
		return e.piece(more, c, e.arrive)
	}
	return e.onOffer(what, more, c)
}

func (e *end) piece(more bool, c *cursor, whole func([]byte) error) error {
	b := c.take(c.left())
	if len(e.part)+len(b) > limitElem {
		return fail(Limit, "an element of more than %d bytes", limitElem)
	}
	if !e.parting && !more {
		return whole(b)
	}
	e.part, e.parting = append(e.part, b...), more
	if more {
		return nil
	}
	b, e.part = e.part, nil
	return whole(b)
}

// arrive takes an element that used a credit.
func (e *end) arrive(b []byte) error {
	ch := e.c
	if e.out() <= 0 {
		return errors.New("an element without a credit")
	}
	v, err := e.read(b)
	if err != nil {
		return err
	}
	e.arrived++
	e.arrivedBytes += uint64(len(b))
	ch.lentOut--
	if ch.up != nil {
		if ch.lost == nil {
			if err := ch.up.send(v, e); err != nil {
				e.tears(e.s.name, "")
			}
		}
		letGoIn(ch.d, v)
		return nil
	}
	if e.streams {
		ch.hot = e
	}
	e.accepted, e.acceptedBytes = e.arrived, e.arrivedBytes
	if e.acceptedBytes-e.toldBytes >= windowTold {
		e.due(kGrant)
	}
	if ch.rxGone {
		letGoIn(ch.d, v)
		return nil
	}
	ch.queue = append(ch.queue, v)
	ch.deliver()
	return nil
}

func (e *end) onOffer(how byte, more bool, c *cursor) error {
	num := c.varint()
	var inc [16]byte
	var count uint64
	if how == 4 {
		inc, count = c.id16(), c.varint()
	}
	ch := e.c
	if c.err != nil || e.offering || num != e.offers+1 {
		return errors.New("an offer out of turn")
	}
	return e.piece(more, c, func(b []byte) error {
		v, err := e.read(b)
		if err != nil {
			return err
		}
		e.offers, e.offering = num, true
		if ch.closing || ch.lost != nil {
			e.offering = false // SEAL says that it was not taken
			letGoIn(ch.d, v)
			return nil
		}
		op := newOperation(ch.n)
		op.sel, op.try, op.named, op.inc, op.count = how == 4, how == 3, how == 4, inc, count
		w := &waiter{op: op, c: ch, send: true, val: v, from: e, num: num, how: how}
		op.ws = []*waiter{w}
		ch.stand(w)
		return nil
	})
}

func (e *end) onWithdraw(num uint64) {
	ch := e.c
	for _, w := range ch.sendq {
		if w.from != e || w.num != num || w.op.state == opDone {
			continue
		}
		if w.op.state == opTrying && ch.up != nil && ch.up.offered == w && !ch.up.takeBack(w) {
			ch.up.push(outItem{kind: kWithdraw, num: ch.up.offers})
			return
		}
		w.op.state = opDone
		w.op.remove()
		e.answer(kWithdrawn, num)
		letGoIn(ch.d, w.val)
		return
	}
}
