package leat

import (
	"context"
	"errors"
	"fmt"
	"reflect"
)

// A Code says what went wrong; the numbers travel between nodes and never change.  A Code is an error itself, for errors.Is:
//
//	if errors.Is(err, leat.PeerLost) { ... }
type Code uint8

// The codes.  For a send or a call there are three outcomes: nil, it was received; Unknown, perhaps; any other: certainly not.
const (
	OK       Code = iota
	Closed        // the channel has ended: for a receiver all is drained, for a sender none was sent
	Canceled      // the context was cancelled
	Deadline      // the context's deadline has passed
	Again         // a try would have to wait
	NoMem         // no memory
	Inval         // a wrong argument
	Limit         // a limit of this node or of a peer
	TypeErr       // the two sides describe a type differently: the detail names the field
	Refused       // the other side said no, or nobody is there
	PeerLost      // the session has ended: after all that had arrived was received
	Gone          // every receive end is gone
	Unknown       // perhaps received or run: nobody can tell
	Remote        // a task or method on a peer failed with an error of its own
	Sys           // the operating system failed
)

var codeNames = [...]string{"OK", "CLOSED", "CANCELED", "DEADLINE", "AGAIN", "NOMEM", "INVAL", "LIMIT", "TYPE", "REFUSED", "PEER_LOST",
	"GONE", "UNKNOWN", "REMOTE", "SYS"}

// String gives the code's name, as in "PEER_LOST".
func (c Code) String() string {
	if int(c) < len(codeNames) {
		return codeNames[c]
	}
	return fmt.Sprintf("code %d", uint8(c))
}

// Error gives the code's name.
func (c Code) Error() string { return c.String() }

// An Error is what every operation returns that can fail: errors.As finds it, errors.Is compares its Code.
type Error struct {
	Code   Code
	Detail string      // for people: what is wrong, with the name of the field or the node
	Why    Code        // behind Unknown: Deadline, Canceled or PeerLost
	Node   string      // the peer that it is about, or ""
	Value  *ErrorValue // what a function elsewhere says of its own error beyond code and text; or nil.  errors.As finds it, too

	form []byte // of TypeErr: the other side's type
}

// Error says the code, the reason of an Unknown, and the detail.
func (e *Error) Error() string {
	text := "leat: " + e.Code.String()
	if e.Why != OK {
		text += " (" + e.Why.String() + ")"
	}
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	return text
}

// Unwrap gives the Value.
func (e *Error) Unwrap() error {
	if e.Value == nil {
		return nil
	}
	return e.Value
}

// Error says the text, and those of the causes.
func (v *ErrorValue) Error() string {
	text := v.Text
	for row := 1; row < errorChain && v.Cause != nil; row++ {
		if v = v.Cause; v.Text != "" && text != "" {
			text += ": "
		}
		text += v.Text
	}
	return text
}

// errorBytes gives the bytes of what an error that a function has returned says beyond code and text; nil: nothing, or it does not travel.
func errorBytes(err error) []byte {
	var v *ErrorValue
	if !errors.As(err, &v) || v.Node == "" && len(v.Details) == 0 && v.Cause == nil {
		return nil
	}
	enc := &encoder{}
	if enc.errorValue(v, "") != nil || len(enc.b) > keptResult {
		return nil
	}
	return enc.b
}

// readValue is the same bytes as a value, which is of node if it does not say where.
func readValue(b []byte, node string) (*ErrorValue, error) {
	d, err := describe(reflect.TypeOf(struct{ E ErrorValue }{}))
	if err != nil {
		return nil, err
	}
	v := reflect.New(d.rt).Elem()
	if err := decodeAs(nil, d, b, nil, v); err != nil {
		return nil, err
	}
	x := v.Field(0).Interface().(ErrorValue)
	if x.Node == "" && len(x.Details) == 0 && x.Cause == nil {
		return nil, errSense
	}
	if x.Node == "" {
		x.Node = node
	}
	return &x, nil
}

// Is compares with a Code, and with the errors of package context: also of an Unknown that is so because a context was over.
func (e *Error) Is(target error) bool {
	switch {
	case target == context.Canceled:
		return e.Code == Canceled || e.Code == Unknown && e.Why == Canceled
	case target == context.DeadlineExceeded:
		return e.Code == Deadline || e.Code == Unknown && e.Why == Deadline
	}
	code, ok := target.(Code)
	return ok && code == e.Code
}

func fail(c Code, format string, args ...any) *Error {
	return &Error{Code: c, Detail: fmt.Sprintf(format, args...)}
}

// CodeOf gives the code of an error: OK for nil, Remote for an error that is not leat's.
func CodeOf(err error) Code {
	var e *Error
	var v *ErrorValue
	var c Code
	switch {
	case err == nil:
		return OK
	case errors.As(err, &e):
		return e.Code
	case errors.As(err, &v):
		return v.Code
	case errors.As(err, &c):
		return c
	case errors.Is(err, context.DeadlineExceeded):
		return Deadline
	case errors.Is(err, context.Canceled):
		return Canceled
	}
	return Remote
}

func detailOf(err error) string {
	var e *Error
	if errors.As(err, &e) && err == error(e) {
		return e.Detail
	}
	return err.Error()
}

// ctxErr is how an operation ends whose context is over.
func ctxErr(ctx context.Context) *Error {
	if ctx.Err() == context.DeadlineExceeded {
		return fail(Deadline, "the deadline has passed")
	}
	return fail(Canceled, "the context was cancelled")
}

func unknown(why Code, format string, args ...any) *Error {
	e := fail(Unknown, format, args...)
	e.Why = why
	return e
}

// Must returns v, or panics with err: for programs that cannot go on without v.
func Must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
