//go:build go1.20

package leat

import "context"

// WithCancel is context.WithCancelCause: the cause that the cancel is given travels with calls and tasks, where it is a Code or a *Error.
func WithCancel(ctx context.Context) (context.Context, func(cause error)) {
	c, cancel := context.WithCancelCause(ctx)
	return c, func(cause error) { cancel(cause) }
}

// Cause says why a context is over: what a peer gave as the cause of its cancel is a *Error with that code.
func Cause(ctx context.Context) error { return context.Cause(ctx) }
