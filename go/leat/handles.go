package leat

import (
	"errors"
	"reflect"
)

// A passed end is one that travels in a message: a copy of a send end, a send end that comes home, or a receive end that moves.
type passed struct {
	h    *handle
	e    *end
	home bool
}

func (c *channel) newHandle(rx bool) *handle {
	if !rx {
		c.handles++
	}
	return &handle{c: c, rx: rx}
}

// letGo gives a handle back: one sender less, or nobody who receives.
func (h *handle) letGo() {
	if h.over || h.moved {
		return
	}
	h.over = true
	if h.rx {
		h.c.rxGone = true
	} else {
		h.c.handles--
	}
	h.c.touch()
}

// letGoIn gives back all the ends in a value.
func letGoIn(d *desc, v reflect.Value) {
	if !d.ends || !v.IsValid() {
		return
	}
	switch d.kind {
	case tTx, tRx:
		if !v.CanAddr() {
			w := reflect.New(v.Type()).Elem()
			w.Set(v)
			v = w
		}
		if h := v.Addr().Interface().(anyEnd).get(); h != nil {
			h.letGo()
		}
	case tStruct:
		for _, m := range d.mem {
			letGoIn(m.d, v.Field(m.index))
		}
	case tOneof:
		if which := v.Field(0).Field(0).Int(); which > 0 && which <= int64(len(d.mem)) {
			letGoIn(d.mem[which-1].d, v.Field(d.mem[which-1].index))
		}
	case tOptional:
		if !v.IsNil() {
			letGoIn(d.elem, v.Elem())
		}
	case tList:
		for i := 0; i < v.Len(); i++ {
			letGoIn(d.elem, v.Index(i))
		}
	case tMap:
		for _, k := range v.MapKeys() {
			letGoIn(d.elem, v.MapIndex(k))
		}
	}
}

// pass writes the record of an end, for the session of the encoder.
func (e *encoder) pass(d *desc, h *handle) *Error {
	c := h.c
	switch {
	case c.n != e.s.n:
		return fail(Inval, "an end of another node's channel")
	case h.over || h.moved:
		return fail(Inval, "this end has finished, or is elsewhere")
	case c.lost != nil:
		return c.senderWord()
	case len(e.ends) >= limitEnds:
		return fail(Limit, "more than %d ends of channels in a value", limitEnds)
	case h.rx:
		return e.passRx(h)
	}
	if u := c.up; u != nil && u.s == e.s && u.attached {
		e.b = append(putVarint(append(e.b, 2), u.id), c.d.print[:]...)
		u.pins++
		e.ends = append(e.ends, &passed{h: h, e: u, home: true})
		return nil
	}
	relays, way := 0, ""
	if c.up != nil {
		relays, way = c.relays+1, joined(c.n.opts.Name, c.way)
	}
	if relays > limitRelay {
		return fail(Limit, "more than %d nodes between there and the receiver: %s", limitRelay, way)
	}
	id, err := e.s.takeEndID()
	if err != nil {
		return err
	}
	x := e.s.newEnd(id, c, false)
	x.held++
	c.join(x)
	c.touch()
	e.record(0, x, 0, relays, way)
	e.ends = append(e.ends, &passed{h: h, e: x})
	return nil
}

func joined(name, way string) string {
	if name == "" {
		name = "?"
	}
	if way != "" {
		name += ", " + way
	}
	return cut(name, 519)
}

func (e *encoder) record(flags byte, x *end, queued, relays int, way string) {
	if relays > 0 {
		flags |= 4
	}
	e.b = append(putVarint(append(e.b, flags), x.id), x.c.d.print[:]...)
	e.b = putVarint(put32(e.b, uint32(x.c.capacity)), uint64(queued))
	if relays > 0 {
		e.b = putText(append(e.b, byte(relays)), way)
	}
}

func (e *encoder) passRx(h *handle) *Error {
	c := h.c
	switch {
	case c.leaving != nil || len(c.recvq) > 0:
		return fail(Refused, "somebody waits on this receive end, or it is about to move")
	case c.d.ends && len(c.queue) > 0:
		return fail(Refused, "values with ends of channels in them are queued")
	case c.left+1 > limitRelay:
		return fail(Limit, "more than %d nodes between the senders and there: %s", limitRelay, joined(c.n.opts.Name, c.leftWay))
	}
	id, err := e.s.takeEndID()
	if err != nil {
		return err
	}
	x := e.s.newEnd(id, c, true)
	x.held++
	x.attached = true
	p := &passed{h: h, e: x}
	c.leaving = p
	e.record(1, x, len(c.queue), c.left+1, joined(c.n.opts.Name, c.leftWay))
	e.ends = append(e.ends, p)
	return nil
}

// commit moves the receive ends of a message that counts as sent.
func (e *end) commit(list []*passed) { commitEnds(list) }

func commitEnds(list []*passed) {
	for _, p := range list {
		if p.h.rx {
			p.h.c.move(p)
		}
	}
}

// undo forgets the ends of a message that was never written.
func (e *end) undo(list []*passed) { undoEnds(list) }

func undoEnds(list []*passed) {
	for _, p := range list {
		c := p.h.c
		c.touch()
		if p.home {
			p.e.pins--
			continue
		}
		delete(p.e.s.ends, p.e.id)
		if p.h.rx {
			c.leaving = nil
		} else {
			p.e.quit()
		}
	}
}

// undoOffer is of an offer that was written and not taken: its reader lets go of the send ends, and is told of the others.
func (e *end) undoOffer(list []*passed) {
	for _, p := range list {
		if p.h.rx && !p.home {
			p.h.c.leaving = nil
			p.h.c.touch()
			p.e.dropped = true
			p.e.push(outItem{kind: kDrop})
			delete(p.e.s.ends, p.e.id)
		}
	}
}

// written lets the frames of the ends go that a message carries, as it is written whole.
func written(list []*passed) {
	for _, p := range list {
		if p.home {
			p.e.pins--
		} else {
			p.e.held--
			p.e.ready()
		}
		p.h.c.touch()
	}
}

// move makes a site of the home: the channel is where its receive end has gone.
func (c *channel) move(p *passed) {
	u := p.e
	p.h.moved = true
	c.leaving = nil
	c.up = u
	c.left, c.leftWay = c.left+1, joined(c.n.opts.Name, c.leftWay)
	c.relays, c.way = 0, ""
	u.granted = uint64(c.capacity)
	queue := c.queue
	c.queue = nil
	for _, v := range queue {
		if err := u.send(v, nil); err != nil {
			c.torn = err
		}
	}
	if c.torn != nil {
		u.push(outItem{kind: kTorn, text: cut(c.torn.Node, 199)})
	}
	if c.closing {
		c.closing, c.closeSaid = false, true
	}
	c.touch()
}

var errEnd = errors.New("an end that makes no sense")

// accept makes an end of a record that came in a value.
func (r *decoder) accept(d *desc) (*handle, error) { return r.acceptAs(d, d) }

// acceptAs is of a value whose writer has the type w for the end, and this node d; nil: it has none, and the end is let go of.
func (r *decoder) acceptAs(w, d *desc) (*handle, error) {
	s := r.s
	flags := r.u8()
	id := r.varint()
	print := r.id16()
	var ours, theirs *desc
	var err error
	if d != nil {
		if ours, err = describe(d.elem.rt); err != nil {
			return nil, err
		}
	}
	if theirs = ours; w != d {
		theirs = standalone(w.elem)
	}
	rx := flags&1 != 0
	if r.err != nil || flags > 7 || rx != (w.kind == tRx) || print != theirs.print || len(r.handed) >= limitEnds {
		return nil, errEnd
	}
	if flags&2 != 0 {
		e := s.ends[id]
		if rx || e == nil || e.site || e.c.d.print != print || ours != nil && ours.print != print {
			return nil, errEnd
		}
		e.c.touch()
		return e.c.newHandle(false), nil
	}
	capacity, queued := r.number(4), r.varint()
	relays, way := 0, ""
	if flags&4 != 0 {
		relays, way = r.way()
	}
	if r.err != nil || queued > capacity || rx && relays == 0 || !s.theirs(id) || s.ends[id] != nil {
		return nil, errEnd
	}
	if uint32(len(s.ends)) >= ourLimits.ends {
		return nil, fail(Limit, "more ends of channels than this node takes")
	}
	if ours == nil {
		ours = theirs
	}
	if rx && !s.mayMoveIn(ours, capacity) {
		return nil, fail(Limit, "the buffers of the channels that have moved here have more than %d bytes", limitMoved)
	}
	c := newChannel(s.n, ours, int(capacity))
	e := s.newEnd(id, c, !rx)
	c.touch()
	if rx {
		if e.by, err = asBridge(theirs, ours); err != nil {
			return nil, err
		}
		c.join(e)
		e.granted, c.lentOut = capacity, int(capacity)
		c.left, c.leftWay = relays, way
		return c.newHandle(true), nil
	}
	c.up = e
	e.attached = true
	c.relays, c.way = relays, way
	if ours.print != theirs.print {
		e.push(outItem{kind: kType, form: ours.form})
	}
	return c.newHandle(false), nil
}

func asBridge(theirs, ours *desc) (*bridge, error) {
	if theirs == ours || ours.rt == nil {
		return nil, nil
	}
	by, err := bridgeOf(theirs, ours)
	if err != nil {
		return nil, err
	}
	return by, nil
}

const limitMoved = 64 << 20

// mayMoveIn counts the buffer of a channel that moves here against what one peer may have so.
func (s *Peer) mayMoveIn(d *desc, capacity uint64) bool {
	n := capacity * 8
	if d.rt != nil {
		n = capacity * uint64(max(int(d.rt.Size()), 8))
	}
	if s.movedIn+n > limitMoved {
		return false
	}
	s.movedIn += n
	return true
}

func (c *cursor) way() (int, string) {
	relays := int(c.u8())
	text := string(c.text(0, 519))
	if c.err == nil && (relays < 1 || relays > limitRelay) {
		c.wrong(errEnd)
	}
	return relays, text
}

// theirs says whether the peer makes ids like this one.
func (s *Peer) theirs(id uint64) bool { return id >= 2 && (id&1 == 1) == !s.dialer }
