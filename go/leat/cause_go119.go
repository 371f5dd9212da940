//go:build !go1.20

package leat

import (
	"context"
	"sync"
)

type causeKey struct{}

type causes struct {
	mu     sync.Mutex
	parent context.Context
	cause  error
}

// WithCancel is a context.WithCancel whose cancel is given a cause, which travels with calls and tasks, where it is a Code or a *Error.
func WithCancel(ctx context.Context) (context.Context, func(cause error)) {
	c := &causes{parent: ctx}
	inner, cancel := context.WithCancel(context.WithValue(ctx, causeKey{}, c))
	return inner, func(cause error) {
		c.mu.Lock()
		if c.cause == nil && inner.Err() == nil {
			if c.cause = cause; cause == nil {
				c.cause = context.Canceled
			}
		}
		c.mu.Unlock()
		cancel()
	}
}

// Cause says why a context is over: what a peer gave as the cause of its cancel is a *Error with that code.
func Cause(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	for at := ctx; ; {
		c, _ := at.Value(causeKey{}).(*causes)
		if c == nil {
			return ctx.Err()
		}
		c.mu.Lock()
		cause := c.cause
		c.mu.Unlock()
		if cause != nil {
			return cause
		}
		at = c.parent
	}
}
