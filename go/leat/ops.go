package leat

import (
	"context"
	"math/rand"
	"reflect"
	"time"
)

// A Case is one of the things that a Select waits for: OnSend, OnRecv or Otherwise.
type Case struct {
	h         *handle
	send      bool
	otherwise bool
	val       reflect.Value
	got       func(reflect.Value)
	err       *Error
}

// check says what is wrong with using a handle.
func (h *handle) check(send bool) *Error {
	switch {
	case h == nil:
		return fail(Inval, "no channel")
	case h.moved:
		return fail(Inval, "the receive end has moved: the channel is received from elsewhere")
	case h.over && h.rx:
		return fail(Gone, "this receive end has been let go of")
	case h.over:
		return fail(Closed, "this send end has finished")
	case !send && h.c.leaving != nil:
		return fail(Refused, "the receive end is about to move")
	}
	return nil
}

// begin lets an operation stand in the lines of its cases.
func (op *operation) begin(cases []Case) {
	order := make([]int, len(cases))
	for i := range order {
		order[i] = i
	}
	if len(cases) > 1 {
		rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	}
	for _, i := range order {
		k := cases[i]
		if k.otherwise {
			continue
		}
		w := &waiter{op: op, c: k.h.c, at: i, send: k.send, val: k.val}
		op.ws = append(op.ws, w)
		if err := w.wordOfEnd(); err != nil {
			op.ws = append(op.ws[:0], w)
			w.at = i
			op.state, op.fired, op.err = opDone, i, err
			close(op.wake)
			return
		}
	}
	for _, w := range op.ws {
		w.c.stand(w)
	}
}

// wordOfEnd is how a send ends on a channel that takes none any more.
func (w *waiter) wordOfEnd() *Error {
	if c := w.c; w.send && c.lost != nil {
		return c.lostWord()
	} else if w.send && c.closing {
		return c.senderWord()
	}
	return nil
}

// lostWord is what a send is told on a channel whose home is lost: also how many that were sent before may be lost with it.
func (c *channel) lostWord() *Error {
	e := c.senderWord()
	if c.up != nil && c.up.sent > c.up.accepted && c.capacity > 0 {
		e.Detail += "; of what was sent before, " + plural(c.up.sent-c.up.accepted) + " may not have arrived"
	}
	return e
}

func plural(n uint64) string {
	if n == 1 {
		return "1 element"
	}
	return itoa(n) + " elements"
}

func itoa(n uint64) string {
	b := [20]byte{}
	i := len(b)
	for {
		i--
		b[i] = byte('0' + n%10)
		if n /= 10; n == 0 {
			return string(b[i:])
		}
	}
}

// run does an operation: it waits until it is done or the context is over.
func (op *operation) run(ctx context.Context, cases []Case) {
	n := op.n
	if err := ctx.Err(); err != nil {
		op.state, op.fired, op.err = opDone, -1, ctxErr(ctx)
		return
	}
	n.lock()
	op.begin(cases)
	n.unlock()
	select {
	case <-op.wake:
		return
	default:
	}
	select {
	case <-op.wake:
		return
	case <-ctx.Done():
	}
	op.giveUp(ctxErr(ctx))
}

// giveUp ends an operation whose context is over: an offer that is out is asked back.
func (op *operation) giveUp(why *Error) {
	n := op.n
	n.lock()
	if op.state == opTrying {
		op.askBack()
	}
	if op.state == opOpen {
		op.state, op.fired, op.err = opDone, -1, why
		op.remove()
		n.unlock()
		return
	}
	n.unlock()
	select {
	case <-op.wake:
	case <-time.After(graceOfAnswers):
		n.lock()
		if op.state != opDone {
			op.state, op.fired = opDone, -1
			op.err = unknown(why.Code, "perhaps received: its answer has not come in time")
			op.remove()
		}
		n.unlock()
	}
	if op.err != nil && op.leave && (op.err.Code == Canceled || op.err.Code == Again) {
		op.err, op.fired = why, -1
	}
}

func (op *operation) askBack() {
	op.leave = true
	for _, w := range op.ws {
		if u := w.c.up; u != nil && u.offered == w {
			if u.takeBack(w) {
				op.state = opOpen
			} else {
				u.push(outItem{kind: kWithdraw, num: u.offers})
			}
		}
	}
}

// poll does an operation that waits for nobody: what can be done at once is done, and homes elsewhere are asked once.
func (op *operation) poll(cases []Case) {
	n := op.n
	op.try = true
	n.lock()
	op.begin(cases)
	n.settleBuffered(op)
	asked := false
	for _, w := range op.ws {
		asked = asked || w.send && w.c.up != nil
	}
	if op.state == opOpen && !asked {
		op.state, op.fired, op.err = opDone, -1, fail(Again, "it would have to wait")
		op.remove()
		close(op.wake)
	}
	n.unlock()
	<-op.wake
}

// settleBuffered lets the channels of a try get on; where there is no link to ask the home over, it is answered at once.
func (n *Node) settleBuffered(op *operation) {
	for _, w := range op.ws {
		if u := w.c.up; w.send && u != nil && u.s.link == nil && w.open() && w.c.free() <= 0 {
			w.fire(fail(Again, "there is no link to %s", u.s.name))
		}
	}
	n.settle()
}

// Select waits until one of its cases can be done and does that one; it returns which.  The error is that of the case: Closed, Gone,
// PeerLost, Unknown as of Send and Recv; or, with the number -1, that of the context.  With Otherwise it waits for nobody.
//
// Where a send goes to an unbuffered channel of another node, its receiver there and the select choose each other; while that answer is on
// its way the select waits for nothing else but its context.  All cases are of channels of one node.
func Select(ctx context.Context, cases ...Case) (int, error) {
	other := -1
	var n *Node
	sends := 0
	for i, k := range cases {
		if k.otherwise {
			other = i
			continue
		}
		if k.err != nil {
			return i, k.err
		}
		if k.h == nil {
			return i, fail(Inval, "no channel")
		}
		if n != nil && n != k.h.c.n {
			return i, fail(Inval, "the cases of a select are of channels of one node")
		}
		n = k.h.c.n
		if k.send {
			sends++
		}
	}
	if n == nil {
		return other, nil
	}
	n.lock()
	for i, k := range cases {
		if !k.otherwise {
			if err := k.h.check(k.send); err != nil {
				n.unlock()
				return i, err
			}
		}
	}
	n.unlock()
	if other >= 0 {
		return pollEach(n, cases, other)
	}
	op := newOperation(n)
	op.sel = true
	op.run(ctx, cases)
	return op.finish(cases)
}

func (op *operation) finish(cases []Case) (int, error) {
	if op.err != nil {
		return op.fired, op.err
	}
	if k := cases[op.fired]; !k.send && k.got != nil {
		k.got(op.val)
	}
	return op.fired, nil
}

// pollEach is a select with Otherwise: first what is here, at one moment; then the homes of its sends are asked, one after the other.
func pollEach(n *Node, cases []Case, other int) (int, error) {
	var near []Case
	var index []int
	for i, k := range cases {
		n.lock()
		far := !k.otherwise && k.send && k.h.c.up != nil
		n.unlock()
		if !k.otherwise && !far {
			near, index = append(near, k), append(index, i)
		}
	}
	if len(near) > 0 {
		op := newOperation(n)
		op.poll(near)
		if op.err == nil || op.err.Code != Again {
			at, err := op.finish(near)
			return index[at], err
		}
	}
	for i, k := range cases {
		if k.otherwise || !k.send {
			continue
		}
		op := newOperation(n)
		op.poll([]Case{k})
		if op.err == nil || op.err.Code != Again {
			return i, asErr(op.err)
		}
	}
	return other, nil
}

func asErr(e *Error) error {
	if e == nil {
		return nil
	}
	return e
}

// Otherwise is the case of a Select that is chosen when no other is ready.
func Otherwise() Case { return Case{otherwise: true} }
