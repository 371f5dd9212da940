package leat

import (
	"context"
	"errors"
	"reflect"
	"sync"
)

// A Tx is a send end of a channel whose elements are of struct T.  The zero Tx is no channel.  It may be copied, and be a field of a value
// that travels; copies that were made by assignment are one sender, Dup makes another.
type Tx[T any] struct{ h *handle }

// An Rx is the receive end of a channel whose elements are of struct T.  The zero Rx is no channel.  As a field of a value it moves.
type Rx[T any] struct{ h *handle }

func (t *Tx[T]) element() reflect.Type { return reflect.TypeOf((*T)(nil)).Elem() }
func (t *Tx[T]) receives() bool        { return false }
func (t *Tx[T]) get() *handle          { return t.h }
func (t *Tx[T]) set(h *handle)         { t.h = h }
func (r *Rx[T]) element() reflect.Type { return reflect.TypeOf((*T)(nil)).Elem() }
func (r *Rx[T]) receives() bool        { return true }
func (r *Rx[T]) get() *handle          { return r.h }
func (r *Rx[T]) set(h *handle)         { r.h = h }

// Make makes a channel whose home is n: capacity 0 is a rendezvous.
func Make[T any](n *Node, capacity int) (Tx[T], Rx[T], error) {
	d, err := describe(reflect.TypeOf((*T)(nil)).Elem())
	if err == nil && (capacity < 0 || int64(capacity) > 1<<32-1) {
		err = fail(Inval, "a capacity of %d", capacity)
	}
	if err != nil {
		return Tx[T]{}, Rx[T]{}, err
	}
	n.lock()
	defer n.unlock()
	c := newChannel(n, d, capacity)
	return Tx[T]{c.newHandle(false)}, Rx[T]{c.newHandle(true)}, nil
}

func valueOf[T any](v T) reflect.Value { return reflect.ValueOf(&v).Elem() }

// Send sends v: it waits for room (a credit, where the home is elsewhere), or, on an unbuffered channel, for the receiver.
//
// nil: v is in the channel, or was received.  Unknown: perhaps, and Why says why.  Closed, Gone, PeerLost, Canceled, Deadline and all
// others: certainly not.  An offer that the home has learned of is asked back when the context ends, for which it waits up to 1 s.
func (t Tx[T]) Send(ctx context.Context, v T) error {
	n, err := t.h.node(true)
	if err != nil {
		return err
	}
	op := newOperation(n)
	op.run(ctx, []Case{{h: t.h, send: true, val: valueOf(v)}})
	return asErr(op.err)
}

// TrySend sends v if that needs no waiting, else it is Again.  It asks the home: it waits for its answer, never for a receiver.
func (t Tx[T]) TrySend(v T) error {
	n, err := t.h.node(true)
	if err != nil {
		return err
	}
	op := newOperation(n)
	op.poll([]Case{{h: t.h, send: true, val: valueOf(v)}})
	return asErr(op.err)
}

// node checks a handle.
func (h *handle) node(send bool) (*Node, error) {
	if h == nil {
		return nil, fail(Inval, "no channel")
	}
	h.c.n.lock()
	defer h.c.n.unlock()
	if err := h.check(send); err != nil {
		return nil, err
	}
	return h.c.n, nil
}

// Flush waits until the home has all that was sent on this channel from here.  Unknown: some of it may be lost; the detail says how much.
func (t Tx[T]) Flush(ctx context.Context) error {
	if t.h == nil {
		return fail(Inval, "no channel")
	}
	c := t.h.c
	c.n.lock()
	u := c.up
	if u == nil || c.capacity == 0 || u.accepted >= u.sent {
		c.n.unlock()
		return nil
	}
	if c.lost != nil {
		defer c.n.unlock()
		return c.flushWord()
	}
	if u.dropped {
		c.n.unlock()
		return fail(Closed, "this send end has finished")
	}
	f := &flushing{target: u.sent, wake: make(chan *Error, 1)}
	c.flushes = append(c.flushes, f)
	u.push(outItem{kind: kFlush})
	c.n.unlock()
	select {
	case err := <-f.wake:
		return asErr(err)
	case <-ctx.Done():
		c.n.lock()
		defer c.n.unlock()
		for i, x := range c.flushes {
			if x == f {
				c.flushes = append(c.flushes[:i], c.flushes[i+1:]...)
				c.touch()
			}
		}
		return ctxErr(ctx)
	}
}

// Finish says that this sender is done: the last one to say so closes the channel.  After it the Tx sends no more.
func (t Tx[T]) Finish() {
	if t.h != nil {
		t.h.c.n.lock()
		t.h.letGo()
		t.h.c.n.unlock()
	}
}

// Close closes the channel for every sender; receivers drain it first.  It finishes this one.
func (t Tx[T]) Close() {
	if t.h == nil {
		return
	}
	c := t.h.c
	c.n.lock()
	if !t.h.over {
		c.closeSaid = true
		t.h.letGo()
	}
	c.n.unlock()
}

// Dup makes another sender of the same channel, which finishes by itself.
func (t Tx[T]) Dup() Tx[T] {
	if t.h == nil {
		return t
	}
	t.h.c.n.lock()
	defer t.h.c.n.unlock()
	if t.h.over {
		return t
	}
	return Tx[T]{t.h.c.newHandle(false)}
}

// Chan gives a Go channel whose values are sent, by a goroutine, until it is closed, which finishes t, or a send fails, or the context
// ends.  The second channel then gives how it ended, nil for a close, once.  After a failed send, values are taken and dropped until the
// close, so that nobody waits for ever.  The package's documentation says what a chan cannot carry.
func (t Tx[T]) Chan(ctx context.Context) (chan<- T, <-chan error) {
	in, done := make(chan T), make(chan error, 1)
	go func() {
		var err error
		for v := range in {
			if err == nil {
				if err = t.Send(ctx, v); err != nil {
					done <- err
				}
			}
		}
		if t.Finish(); err == nil {
			done <- nil
		}
	}()
	return in, done
}

// OnSend is the case of a Select that sends v.
func (t Tx[T]) OnSend(v T) Case { return Case{h: t.h, send: true, val: valueOf(v)} }

// Recv receives the next element.  Closed: the channel has ended and is drained.  PeerLost: it has ended, and a sender was lost: something
// may be missing.
func (r Rx[T]) Recv(ctx context.Context) (v T, err error) {
	n, err := r.h.node(false)
	if err != nil {
		return v, err
	}
	op := newOperation(n)
	op.run(ctx, []Case{{h: r.h}})
	if op.err != nil {
		return v, op.err
	}
	return op.val.Interface().(T), nil
}

// TryRecv receives what has come, else it is Again.
func (r Rx[T]) TryRecv() (v T, err error) {
	n, err := r.h.node(false)
	if err != nil {
		return v, err
	}
	op := newOperation(n)
	op.poll([]Case{{h: r.h}})
	if op.err != nil {
		return v, op.err
	}
	return op.val.Interface().(T), nil
}

// Len is how many elements are queued now; Cap is the capacity.
func (r Rx[T]) Len() int {
	if r.h == nil {
		return 0
	}
	r.h.c.n.lock()
	defer r.h.c.n.unlock()
	return len(r.h.c.queue)
}

// Cap is the capacity of the channel.
func (r Rx[T]) Cap() int {
	if r.h == nil {
		return 0
	}
	return r.h.c.capacity
}

// Release lets go of the receive end: senders get Gone.
func (r Rx[T]) Release() {
	if r.h != nil {
		r.h.c.n.lock()
		r.h.letGo()
		r.h.c.n.unlock()
	}
}

// OnRecv is the case of a Select that receives into *v.
func (r Rx[T]) OnRecv(v *T) Case {
	return Case{h: r.h, got: func(x reflect.Value) { *v = x.Interface().(T) }}
}

// Range gives a Go channel of what is received, for range, and a function that says how it ended: nil for a close, once the Go channel is
// closed.  A goroutine receives until the end of the channel or of the context.
//
//	values, ended := rx.Range(ctx)
//	for v := range values { ... }
//	if err := ended(); err != nil { ... }
func (r Rx[T]) Range(ctx context.Context) (<-chan T, func() error) {
	out := make(chan T)
	var mu sync.Mutex
	var last error
	go func() {
		defer close(out)
		for {
			v, err := r.Recv(ctx)
			if err != nil {
				mu.Lock()
				if CodeOf(err) != Closed {
					last = err
				}
				mu.Unlock()
				return
			}
			select {
			case out <- v:
			case <-ctx.Done():
				mu.Lock()
				last = ctxErr(ctx)
				mu.Unlock()
				return
			}
		}
	}()
	return out, func() error {
		mu.Lock()
		defer mu.Unlock()
		return last
	}
}

// Export makes an end known to peers under a name: a *Tx[T] or Tx[T] may be imported many times, and the export counts as one more sender
// until Unexport; an Rx[T] is imported once, and the channel moves there.
func (n *Node) Export(name string, anEnd any) error {
	h, ok := endOf(anEnd)
	if !ok || h == nil {
		return fail(Inval, "%s: only the ends of channels are exported", name)
	}
	if name == "" || len(name) > nameMax {
		return fail(Inval, "a name has 1 to %d bytes", nameMax)
	}
	n.lock()
	defer n.unlock()
	switch {
	case n.exports[name] != nil:
		return fail(Inval, "the name %s is taken", name)
	case h.c.n != n || h.over || h.moved:
		return fail(Inval, "%s: an end of another node, or one that has finished", name)
	}
	if !h.rx {
		h = h.c.newHandle(false)
	}
	n.exports[name] = &exported{h, h.c.d}
	return nil
}

func endOf(x any) (*handle, bool) {
	if e, ok := x.(anyEnd); ok {
		return e.get(), true
	}
	if x == nil {
		return nil, false
	}
	v := reflect.New(reflect.TypeOf(x))
	v.Elem().Set(reflect.ValueOf(x))
	if e, ok := v.Interface().(anyEnd); ok {
		return e.get(), true
	}
	return nil, false
}

// Unexport forgets a name; who has imported it keeps its end.
func (n *Node) Unexport(name string) {
	n.lock()
	n.unexport(name)
	n.unlock()
}

// ImportTx imports a send end that the peer has exported.  Refused: no such name, the other end, or its policy; TypeErr: the detail names
// the field; PeerLost.
func ImportTx[T any](ctx context.Context, p *Peer, name string) (Tx[T], error) {
	h, err := p.attach(ctx, name, reflect.TypeOf((*T)(nil)).Elem(), false)
	return Tx[T]{h}, err
}

// ImportRx imports a receive end that the peer has exported: the channel moves here, with what is queued.
func ImportRx[T any](ctx context.Context, p *Peer, name string) (Rx[T], error) {
	h, err := p.attach(ctx, name, reflect.TypeOf((*T)(nil)).Elem(), true)
	return Rx[T]{h}, err
}

func (p *Peer) attach(ctx context.Context, name string, rt reflect.Type, rx bool) (*handle, error) {
	d, err := describe(rt)
	if err != nil {
		return nil, err
	}
	if name == "" || len(name) > nameMax {
		return nil, fail(Inval, "a name has 1 to %d bytes", nameMax)
	}
	h, err := p.attachAs(ctx, name, d, nil, rx)
	var e *Error
	if !errors.As(err, &e) || e.Code != TypeErr || e.form == nil {
		return h, err
	}
	other, err := readForm(e.form)
	if err != nil {
		e.Detail = name + " of " + e.Node + ": the peer has another type, and does not say which"
		return nil, e
	}
	writer, reader := d, other
	if rx {
		writer, reader = other, d
	}
	p.n.lock()
	old := !rx && !p.mayTell(d.form)
	p.n.unlock()
	if why := fits(writer, reader); why != "" || old {
		e.Detail = name + " of " + e.Node + ": " + why
		return nil, e
	}
	return p.attachAs(ctx, name, d, other, rx)
}

// attachAs asks for an end as one of another type; nil: of d itself.
func (p *Peer) attachAs(ctx context.Context, name string, d, as *desc, rx bool) (*handle, error) {
	wait := make(chan *Error, 1)
	p.n.lock()
	if p.over || p.byeWanted {
		defer p.n.unlock()
		return nil, p.lostWord()
	}
	id, lerr := p.takeEndID()
	if lerr != nil {
		p.n.unlock()
		return nil, lerr
	}
	c := newChannel(p.n, d, 0)
	e := p.newEnd(id, c, true)
	c.up = e
	h := c.newHandle(rx)
	e.name, e.wait, e.importing = name, wait, h
	if e.asPrint, e.asType = d.print, as; as != nil {
		e.asPrint = as.print
	}
	e.push(outItem{kind: kAttach})
	p.n.unlock()
	select {
	case err := <-wait:
		if err != nil {
			return nil, err
		}
		return h, nil
	case <-ctx.Done():
	}
	p.n.lock()
	defer p.n.unlock()
	h.letGo() // when ATTACHED comes, or has come, the end goes in order
	return nil, ctxErr(ctx)
}
