package leat

import "time"

// How ends come to be, by a name, and how they end with their session.

// -- attaching --------------------------------------------------------------------------------------------

func (s *Peer) onAttach(id uint64, c *cursor) error {
	sends, print := c.u8(), c.id16()
	name := string(c.text(1, 255))
	if c.err != nil || sends > 1 || !s.theirs(id) || s.ends[id] != nil {
		return errSense
	}
	x := s.n.exports[name]
	refuse := func(code Code, why string, form []byte) error {
		e := &end{id: id, dueNow: map[byte]bool{}}
		e.s, e.src = s, e
		e.push(outItem{kind: kAttached, code: code, text: why, form: form})
		return nil
	}
	switch {
	case x == nil:
		return refuse(Refused, "nothing is exported as "+name, nil)
	case x.h.rx == (sends == 1):
		return refuse(Refused, name+" is the other end", nil)
	case x.d.print != print:
		return refuse(TypeErr, name+" has another type here", x.d.form)
	case uint32(len(s.ends)) >= ourLimits.ends:
		return refuse(Limit, "more ends of channels than this node takes", nil)
	}
	if s.n.opts.Allow != nil {
		if err := s.n.opts.Allow(s.name, name, sends == 1); err != nil {
			return refuse(Refused, err.Error(), nil)
		}
	}
	if sends == 0 {
		return s.attachRx(id, name, x, refuse)
	}
	ch := x.h.c
	if ch.lost != nil {
		return refuse(PeerLost, ch.lost.Detail, nil)
	}
	relays, way := 0, ""
	if ch.up != nil {
		relays, way = ch.relays+1, joined(s.n.opts.Name, ch.way)
	}
	if relays > limitRelay {
		return refuse(Limit, "too many nodes to the receiver: "+way, nil)
	}
	e := s.newEnd(id, ch, false)
	ch.join(e)
	ch.touch()
	e.push(outItem{kind: kAttached, num: uint64(relays), text: way})
	return nil
}

func (s *Peer) attachRx(id uint64, name string, x *exported, refuse func(Code, string, []byte) error) error {
	ch := x.h.c
	if x.h.over || x.h.moved || ch.leaving != nil || len(ch.recvq) > 0 || ch.d.ends && len(ch.queue) > 0 {
		return refuse(Refused, name+" was imported before, or is in use here", nil)
	}
	if ch.left+1 > limitRelay {
		return refuse(Limit, "too many nodes to the receiver: "+joined(s.n.opts.Name, ch.leftWay), nil)
	}
	e := s.newEnd(id, ch, true)
	e.attached = true
	e.push(outItem{kind: kAttached, num: uint64(ch.left + 1), text: joined(s.n.opts.Name, ch.leftWay)})
	ch.move(&passed{h: x.h, e: e})
	return nil
}

func (e *end) onAttached(c *cursor) error {
	code := Code(c.u8())
	if e.attached || e.wait == nil {
		return errSense
	}
	wait := e.wait
	if code != OK {
		reason := string(c.text(0, frameMax))
		form := e.s.takeForm(c)
		if c.err != nil {
			return errSense
		}
		err := fail(code, "%s of %s: %s", e.name, e.s.name, reason)
		if code == TypeErr {
			err.form = append([]byte(nil), form...)
		}
		err.Node = e.s.name
		delete(e.s.ends, e.id)
		e.wait = nil
		wait <- err
		return nil
	}
	capacity := c.number(4)
	relays, way := 0, ""
	if c.left() > 0 {
		relays, way = c.way()
	}
	if c.err != nil || e.importing.rx && relays == 0 {
		return errSense
	}
	if e.importing.rx && !e.s.mayMoveIn(e.c.d, capacity) {
		return fail(Limit, "the buffers of the channels that have moved here have more than %d bytes", limitMoved)
	}
	ch := e.c
	e.attached, e.wait = true, nil
	ch.capacity = int(capacity)
	if !e.importing.rx && e.asType != nil {
		e.push(outItem{kind: kType, form: ch.d.form})
	}
	if e.importing.rx {
		if e.asType != nil {
			if e.by, _ = bridgeOf(e.asType, ch.d); e.by == nil {
				return errSense
			}
		}
		e.site = false
		ch.up = nil
		ch.join(e)
		e.granted, ch.lentOut = capacity, int(capacity)
		ch.left, ch.leftWay = relays, way
	} else {
		ch.relays, ch.way = relays, way
	}
	wait <- nil
	return nil
}

// -- the end of a session --------------------------------------------------------------------------------------------

// endEnds ends all that is joined to this session.
func (s *Peer) endEnds() {
	all := s.ends
	s.ends = map[uint64]*end{}
	for _, e := range all {
		e.c.touch()
		switch {
		case e.wait != nil:
			e.wait <- s.lostWord()
			e.wait = nil
		case e.c.leaving != nil && e.c.leaving.e == e:
			e.c.leaving = nil
		case e.site:
			if e.c.lost == nil {
				e.c.lost = s.lostWord()
				e.lostOffer(false)
			}
		default:
			e.c.dropOffers(e)
			if !e.finished && !e.sealed {
				w := s.lostWord()
				e.tears(s.name, w.Detail)
			}
			e.quit()
		}
	}
}

// lostLink is of a link that broke: who only asks is answered at once, and no offer waits for a select whose own has no link.
func (s *Peer) lostLink() {
	for _, e := range s.ends {
		if !e.site {
			continue
		}
		for _, w := range append([]*waiter(nil), e.c.sendq...) {
			if w.op.try && w.from == nil && w.open() {
				w.fire(fail(Again, "there is no link to %s", s.name))
			}
		}
		w := e.offered
		if w == nil || w.op.state == opDone {
			continue
		}
		w.op.noLink = true
		for _, x := range w.op.ws {
			x.c.touch()
		}
		if w.op.try && w.from == nil {
			time.AfterFunc(graceOfAnswers, func() {
				s.n.lock()
				w.fire(unknown(PeerLost, "the link to %s broke before its answer", s.name))
				s.n.unlock()
			})
		}
	}
}
