package leat

import (
	"context"
	"reflect"
)

func describeFor[T any]() (*desc, error) { return describe(reflect.TypeOf((*T)(nil)).Elem()) }

// Serve lets peers call f as method, which C names "service.method": leat_call(peer, service, method, in, out).  The context has the
// caller's deadline, and is cancelled with its cause: see Cause, PeerOf and DealtOf.  f's error comes back to the caller with its text: a
// *Error or Code with its code, any other as Remote.  Inval: the name is taken.
func Serve[In, Out any](n *Node, method string, f func(ctx context.Context, in In) (Out, error)) error {
	in, err := describeFor[In]()
	if err != nil {
		return err
	}
	out, err := describeFor[Out]()
	if err != nil {
		return err
	}
	return n.offers(method, false, &service{in, out, func(ctx context.Context, arg reflect.Value) (reflect.Value, error) {
		got, err := f(ctx, arg.Interface().(In))
		return reflect.ValueOf(&got).Elem(), err
	}})
}

// Expose lets peers start f as a task of theirs: leat_go_on(group, peer, f, S, ...).  Its end and its error are told to their group.
func Expose[A any](n *Node, name string, f func(ctx context.Context, arg A) error) error {
	in, err := describeFor[A]()
	if err != nil {
		return err
	}
	return n.offers(name, true, &service{in, nil, func(ctx context.Context, arg reflect.Value) (reflect.Value, error) {
		return reflect.Value{}, f(ctx, arg.Interface().(A))
	}})
}

// Call calls a method of the peer.  The context's deadline and cancel travel.
//
// nil: it ran, and this is its result.  Refused, TypeErr, Limit, and PeerLost where the session had ended: it has not run.  Unknown: it
// may have run, and Why says Deadline, Canceled or PeerLost.  Any other is the method's own error, with the peer's name before its text.
func Call[Out, In any](ctx context.Context, p *Peer, method string, in In) (Out, error) {
	return callWith[Out](ctx, p, method, in, "")
}

// CallOnce is a Call that runs once for a key of 1 to 64 bytes, however often it is asked for: one whose outcome is Unknown can be
// repeated, also over a new session with the same node.
func CallOnce[Out, In any](ctx context.Context, p *Peer, method string, in In, key string) (Out, error) {
	if key == "" {
		var none Out
		return none, fail(Inval, "a key has 1 to 64 bytes")
	}
	return callWith[Out](ctx, p, method, in, key)
}

func callWith[Out, In any](ctx context.Context, p *Peer, method string, in In, key string) (out Out, err error) {
	a, err := begin[Out](ctx, p, method, in, key)
	if err != nil {
		return out, err
	}
	return a.toTheEnd(ctx)
}

// An asked is a call under way, and what it takes to make it again when it was refused for a type that fits.
type asked[Out any] struct {
	c *call
	v reflect.Value
	p *Peer
}

func begin[Out, In any](ctx context.Context, p *Peer, method string, in In, key string) (a asked[Out], err error) {
	d, err := describeFor[In]()
	if err != nil {
		return a, err
	}
	out, err := describeFor[Out]()
	if err != nil {
		return a, err
	}
	a = asked[Out]{&call{name: method, in: d, outD: out, key: key}, valueOf(in), p}
	e := p.open(ctx, a.c, a.v)
	if e == nil && a.c.asking {
		a.c = &call{name: method, in: d, outD: out, ask: true, tell: true}
		e = p.open(ctx, a.c, a.v)
	}
	return a, asErr(e)
}

// toTheEnd waits for the answer.  A call that was refused for a type has not run, and is made again if the types fit.
func (a asked[Out]) toTheEnd(ctx context.Context) (out Out, err error) {
	for {
		out, err = a.wait(ctx)
		c := a.c
		if err == nil || !c.again {
			return out, err
		}
		again := &call{name: c.name, in: c.in, outD: c.outD, key: c.key, tell: c.tell, by: c.by}
		if c.ask {
			again.tell = false // it has been told
		} else if c.againBy != nil {
			again.by = c.againBy
		} else {
			again.tell = true
		}
		if err := a.p.open(ctx, again, a.v); err != nil {
			return out, err
		}
		a.c = again
	}
}

func (a asked[Out]) wait(ctx context.Context) (out Out, err error) {
	select {
	case <-a.c.settled:
	case <-ctx.Done():
		if err := a.c.giveUp(ctx); err != nil {
			return out, err
		}
	}
	if a.c.err != nil {
		return out, a.c.err
	}
	return a.c.result.Interface().(Out), nil
}

// A Reply is the result of a call that was begun by CallAsync.
type Reply[Out any] struct {
	Value Out
	Err   error
}

// CallAsync begins a call and gives a channel that has its Reply, once: for a select over several.
func CallAsync[Out, In any](ctx context.Context, p *Peer, method string, in In) <-chan Reply[Out] {
	ch := make(chan Reply[Out], 1)
	c, err := begin[Out](ctx, p, method, in, "")
	if err != nil {
		ch <- Reply[Out]{Err: err}
		return ch
	}
	go func() {
		v, err := c.toTheEnd(ctx)
		ch <- Reply[Out]{v, err}
	}()
	return ch
}

// A Task is a function that runs at a peer.
type Task struct {
	c    *call
	done chan struct{}
}

// Start starts an exposed function of the peer as a task, with a copy of arg.  The ends of channels in arg travel: receive ends move.
// When ctx ends the task is cancelled, with the cause; Wait still waits for its end.
func Start[A any](ctx context.Context, p *Peer, name string, arg A) (*Task, error) {
	d, err := describeFor[A]()
	if err != nil {
		return nil, err
	}
	t := &Task{c: &call{name: name, in: d, task: true}, done: make(chan struct{})}
	if err := p.open(ctx, t.c, valueOf(arg)); err != nil {
		return nil, err
	}
	go t.follow(ctx)
	return t, nil
}

func (t *Task) follow(ctx context.Context) {
	defer close(t.done)
	select {
	case <-t.c.settled:
		return
	case <-ctx.Done():
	}
	s := t.c.s
	s.n.lock()
	t.c.askOff(ctx)
	s.n.unlock()
	<-t.c.settled
}

// Done is closed when the task has ended.
func (t *Task) Done() <-chan struct{} { return t.done }

// Wait waits for the end of the task: its error, with the peer's name before its text; Unknown: its session ended, and it may have run.
func (t *Task) Wait() error {
	<-t.done
	return asErr(t.c.err)
}
