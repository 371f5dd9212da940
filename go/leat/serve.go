package leat

import (
	"context"
	"crypto/sha256"
	"reflect"
	"time"
)

// A service is a function that peers may call, or start as a task.
type service struct {
	in, out *desc // out: nil for a task
	run     func(ctx context.Context, arg reflect.Value) (reflect.Value, error)
}

type ctxKey int

const (
	keyPeer ctxKey = iota
	keyDealt
)

// PeerOf gives the session whose call or task this context is of; nil: it is of none.
func PeerOf(ctx context.Context) *Peer {
	p, _ := ctx.Value(keyPeer).(*Peer)
	return p
}

// A Dealt says which element of a deal a method runs for, and in which attempt.
type Dealt struct{ Number, Attempt uint64 }

// DealtOf gives it in a method that runs for a deal.
func DealtOf(ctx context.Context) (Dealt, bool) {
	d, ok := ctx.Value(keyDealt).(Dealt)
	return d, ok
}

func serviceKey(name string, task bool) string {
	if task {
		return "task " + name
	}
	return name
}

func (n *Node) offers(name string, task bool, sv *service) error {
	if name == "" || len(name) > 255 {
		return fail(Inval, "a name has 1 to 255 bytes")
	}
	n.lock()
	defer n.unlock()
	key := serviceKey(name, task)
	if n.served[key] != nil {
		return fail(Inval, "the name %s is taken", name)
	}
	n.served[key] = sv
	return nil
}

// serve runs a call or a task that has come whole, or says why it does not.
func (s *Peer) serve(c *call, b []byte) error {
	sv := s.n.served[serviceKey(c.name, c.task)]
	var by *bridge
	if w := s.forms[c.inPrint]; sv != nil && w != nil && sv.in.print != c.inPrint {
		by, _ = bridgeOf(w, sv.in)
	}
	switch {
	case s.n.closing || s.byeWanted:
		c.refuse(PeerLost, "this node is closing", nil)
	case sv == nil:
		c.refuse(Refused, "nothing of that name is here: "+c.name, nil)
	case sv.in.print != c.inPrint && by == nil:
		c.refuse(TypeErr, "argument of "+c.name+": another type", sv.in.form)
	case !c.task && sv.out.print != c.outPrint:
		c.refuse(TypeErr, "result of "+c.name+": another type", sv.out.form)
	case c.key != "" && c.canceled:
		c.done()
	case c.key != "":
		return s.serveOnce(c, sv, by, b)
	default:
		v := reflect.New(sv.in.rt).Elem()
		if err := decodeAs(by, sv.in, b, s, v); err != nil {
			return err
		}
		c.in, c.outD = sv.in, sv.out
		ctx := s.contextOf(c)
		go func() {
			out, err := sv.run(ctx, v)
			s.n.lock()
			s.waitForRoom()
			c.end(out, err)
			s.n.unlock()
		}()
	}
	return nil
}

func (s *Peer) contextOf(c *call) context.Context {
	ctx := context.WithValue(context.Background(), keyPeer, s)
	if c.kind&2 != 0 {
		ctx = context.WithValue(ctx, keyDealt, Dealt{c.element, c.try})
	}
	var stop context.CancelFunc
	if c.within < 1<<62 {
		ctx, stop = context.WithTimeout(ctx, time.Duration(c.within))
	}
	ctx, cancel := WithCancel(ctx)
	c.cancel = func(cause error) {
		cancel(cause)
		if stop != nil {
			stop()
		}
	}
	if c.canceled {
		c.cancel(c.cause) // it came before the last piece of OPEN
	}
	return ctx
}

// waitForRoom lets an answer wait while the peer does not take those before it.
func (s *Peer) waitForRoom() {
	for s.owedResults > limitElem && !s.over {
		if s.room == nil {
			s.room = make(chan struct{})
		}
		room := s.room
		s.n.unlock()
		select {
		case <-room:
		case <-s.ended:
		}
		s.n.lock()
	}
}

func (c *call) refuse(code Code, detail string, form []byte) {
	c.answer(answer{code: code, detail: detail, form: form}, nil, nil)
}

// onCancel is the peer's CANCEL.  One of a call with a key ends the waiting, and not the method.
func (c *call) onCancel(cause Code) {
	c.canceled = true
	if c.key != "" && !c.parting {
		c.done()
		return
	}
	c.cause = fail(cause, "cancelled by %s", c.s.name)
	if c.cancel != nil {
		c.cancel(c.cause)
	}
}

func (c *call) done() {
	if !c.answered && c.s.answering[c.id] == c {
		c.answered = true
		c.s.answeringBytes -= int(c.length)
		c.push(outItem{kind: kDone})
	}
}

// end is of a function that has returned.
func (c *call) end(out reflect.Value, err error) {
	if c.cancel != nil {
		c.cancel(nil)
	}
	switch {
	case c.s.over || c.s.peerBye:
		delete(c.s.answering, c.id)
	case c.canceled && !c.task:
		c.done()
	case err != nil:
		code := CodeOf(err)
		var more []byte
		if c.s.minor >= 2 {
			more = errorBytes(err)
		}
		c.answer(answer{code: code, own: true, detail: detailOf(err)}, more, nil)
	case c.task:
		c.answer(answer{own: true}, nil, nil)
	default:
		enc := &encoder{s: c.s}
		if err := asError(enc.value(c.outD, out, "")); err != nil {
			undoEnds(enc.ends)
			c.answer(answer{code: err.Code, own: true, detail: "result: " + err.Detail}, nil, nil)
		} else if len(enc.b) > limitElem {
			undoEnds(enc.ends)
			c.refuse(Limit, "a result of more than 16 MiB", nil)
		} else {
			commitEnds(enc.ends)
			c.answer(answer{}, enc.b, enc.ends)
		}
	}
}

func (c *call) answer(a answer, b []byte, list []*passed) {
	if c.answered || c.s.over {
		return
	}
	c.answered = true
	head := putText([]byte{byte(a.code), boolByte(a.own)}, cut(a.detail, 4096))
	c.s.owedResults += len(b)
	c.push(outItem{kind: kResult, head: head, form: a.form, bytes: b, passed: list})
}

// finishAnswer is of a RESULT that is written.
func (s *Peer) finishAnswer(c *call, n int) {
	s.owedResults -= n
	if s.room != nil {
		close(s.room)
		s.room = nil
	}
	if s.answering[c.id] == c {
		delete(s.answering, c.id)
		s.answeringBytes -= int(c.length)
	}
}

// -- keys --------------------------------------------------------------------------------------------------------------------------------

const (
	keptFor     = 5 * time.Minute
	keptBytes   = 64 << 20
	keptResult  = 256 << 10
	keptRecords = 512 // what one record counts beside its bytes
)

// A keeper has the results of calls with keys.  They are of the node and not of a session, so that a repeat finds them over another one.
type keeper struct {
	all   map[string]*once
	bytes int
	aging []*once // ended, the oldest first
}

type once struct {
	key     string
	sum     [32]byte
	over    bool
	at      time.Time
	a       answer
	b       []byte
	plain   []byte // the same for peers of version 1.1
	waiting []*call
}

func (o *once) bytesFor(c *call) []byte {
	if c.s.minor < 2 {
		return o.plain
	}
	return o.b
}

// kept is how many bytes it keeps: plain is often the same as b.
func (o *once) kept() int {
	n := len(o.b) + len(o.a.detail)
	if len(o.plain) < len(o.b) {
		n += len(o.plain)
	}
	return n
}

func (s *Peer) serveOnce(c *call, sv *service, by *bridge, b []byte) error {
	k := &s.n.keys
	k.expire(time.Now())
	sum := sha256.Sum256(b)
	if sv.in.ends || sv.out.ends {
		c.refuse(Inval, "a call with a key cannot have ends of channels in it", nil)
		return nil
	}
	key := c.name + "\x00" + c.key
	if o := k.all[key]; o != nil {
		switch {
		case o.sum != sum:
			c.refuse(Inval, "the key was used with another argument", nil)
		case o.over:
			c.answer(o.a, o.bytesFor(c), nil)
		default:
			o.waiting = append(o.waiting, c)
		}
		return nil
	}
	if k.bytes+keptRecords+keptResult > keptBytes {
		c.refuse(Limit, "no room to keep the result of one more key", nil)
		return nil
	}
	v := reflect.New(sv.in.rt).Elem()
	if err := decodeAs(by, sv.in, b, nil, v); err != nil {
		return err
	}
	if k.all == nil {
		k.all = map[string]*once{}
	}
	o := &once{key: key, sum: sum, waiting: []*call{c}}
	k.all[key] = o
	k.bytes += keptRecords
	ctx, cancel := WithCancel(context.WithValue(context.Background(), keyPeer, s))
	if c.kind&2 != 0 {
		ctx = context.WithValue(ctx, keyDealt, Dealt{c.element, c.try})
	}
	n := s.n
	go func() {
		select {
		case <-n.closed:
			cancel(fail(PeerLost, "the node was closed"))
		case <-ctx.Done():
		}
	}()
	go func() {
		out, err := sv.run(ctx, v)
		n.lock()
		n.keys.end(o, sv, out, err)
		n.unlock()
		cancel(nil)
	}()
	return nil
}

// end keeps what a method has given, and answers who waits.
func (k *keeper) end(o *once, sv *service, out reflect.Value, err error) {
	if err != nil {
		o.a, o.b = answer{code: CodeOf(err), own: true, detail: cut(detailOf(err), 4096)}, errorBytes(err)
	} else if o.b, o.plain, err = encodeBoth(sv.out, out); err != nil || len(o.b) > keptResult {
		o.b, o.plain, o.a = nil, nil, answer{code: Limit, detail: "a result of more than 256 KiB cannot be kept"}
	}
	o.over, o.at = true, time.Now()
	k.bytes += o.kept()
	k.aging = append(k.aging, o)
	for _, c := range o.waiting {
		c.answer(o.a, o.bytesFor(c), nil)
	}
	o.waiting = nil
}

func (k *keeper) expire(now time.Time) {
	for len(k.aging) > 0 && now.Sub(k.aging[0].at) > keptFor {
		o := k.aging[0]
		k.aging = k.aging[1:]
		delete(k.all, o.key)
		k.bytes -= keptRecords + o.kept()
	}
}
