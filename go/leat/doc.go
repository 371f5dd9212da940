// Package leat speaks the protocol of leat nodes (docs/wire.md): channels, calls and remote tasks between processes and hosts, with Go
// at either end or at both.  It uses the standard library alone.
//
// A [Node] listens and dials; a [Peer] is a session with another node, which outlives its links.  A channel has a send end, [Tx], and a
// receive end, [Rx]; ends are exported under a name and imported by peers, and travel in values.  The meaning of every operation is that
// of the C library: docs/semantics.md.
//
// # What a Go chan can carry
//
// [Rx.Range] and [Tx.Chan] join an end to a Go channel, for range and select.  A goroutine stands between, so
//   - one value more than the capacity is under way: the one in the goroutine's hand;
//   - a send on a chan cannot return an error, nor say that it is UNKNOWN; what Rx.Range and Tx.Chan give beside says how it
//     ended;
//   - an unbuffered channel is a rendezvous with that goroutine, and not with the receiver behind it: who needs the outcome of each value,
//     or that a value is given back when nobody takes it, uses [Tx.Send] and [Rx.Recv];
//   - a value that the goroutine holds when its context ends is lost, as it had been taken.
//
// The exact operations are [Tx.Send], [Tx.TrySend], [Tx.Flush], [Tx.Finish], [Tx.Close], [Rx.Recv], [Rx.TryRecv] and [Select].
//
// # Ownership
//
// Every Tx counts as a sender until [Tx.Finish] or [Tx.Close]: the channel closes when the last one has finished.  A Tx that travels in a
// value is copied: the giver keeps its own, and the receiver has one more, to be finished there.  An Rx is one: when it travels in a value,
// or is imported, the channel moves, with what is queued, and the giver can receive no more.
package leat
