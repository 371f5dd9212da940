// Damage: to the bytes of a stream, and to its messages, whose lengths are then right again.
package main

import (
	"encoding/binary"
	"math/rand"
)

func number(n uint64) []byte {
	if n < 128 {
		return []byte{byte(n)}
	}
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], n)
	i := 0
	for b[i] == 0 {
		i++
	}
	return append([]byte{byte(-(8 - i))}, b[i:]...)
}

// cut gives the messages of a stream, which is whole.
func cut(stream []byte) (messages [][]byte) {
	for len(stream) > 0 {
		n, head := uint64(stream[0]), 1
		if n >= 128 {
			head = 1 + int(-int8(stream[0]))
			n = 0
			for _, b := range stream[1:head] {
				n = n<<8 | uint64(b)
			}
		}
		messages = append(messages, stream[head:head+int(n)])
		stream = stream[head+int(n):]
	}
	return messages
}

func join(messages [][]byte) (stream []byte) {
	for _, m := range messages {
		stream = append(append(stream, number(uint64(len(m)))...), m...)
	}
	return stream
}

var edges = []uint64{0, 1, 2, 3, 64, 127, 128, 255, 256, 65535, 1<<31 - 1, 1 << 31, 1<<32 - 1, 1 << 32, 1<<63 - 1, 1 << 63, 1<<64 - 1,
	// as signed: -1, -64, -65, 64, 65, 66, 67, the ids that types begin with
	127, 129, 128, 130, 132, 134, 131, 133, 32, 34, 36, 46}

func spot(r *rand.Rand, b []byte) int {
	if len(b) == 0 {
		return 0
	}
	return r.Intn(len(b))
}

// bend changes one thing in the bytes of a message.
func bend(r *rand.Rand, b, other []byte) []byte {
	b = append([]byte{}, b...)
	i := spot(r, b)
	j := i + spot(r, b[i:])
	rest := append([]byte{}, b[i:]...)
	switch r.Intn(9) {
	case 0, 1, 2:
		if len(b) > 0 {
			b[i] ^= 1 << uint(r.Intn(8))
		}
	case 3:
		if len(b) > 0 {
			b[i] = byte(edges[r.Intn(len(edges))])
		}
	case 4: // a number in the place of one byte
		if len(rest) > 0 {
			rest = rest[1:]
		}
		return append(append(b[:i], number(edges[r.Intn(len(edges))])...), rest...)
	case 5: // a number more
		return append(append(b[:i], number(edges[r.Intn(len(edges))])...), rest...)
	case 6:
		return b[:i]
	case 7:
		return append(b[:i], b[j:]...)
	case 8:
		if len(other) > 0 {
			k := r.Intn(len(other))
			return append(append(b[:i], other[k:k+r.Intn(len(other)-k)]...), rest...)
		}
	}
	return b
}

func mutate(r *rand.Rand, stream, other []byte) []byte {
	for n := 1 + r.Intn(2); n > 0; n-- {
		stream = mutateOnce(r, stream, other)
	}
	return stream
}

func mutateOnce(r *rand.Rand, stream, other []byte) (out []byte) {
	if r.Intn(4) == 0 {
		return bend(r, stream, other)
	}
	defer func() {
		if recover() != nil { // it was damaged before, and has no messages
			out = bend(r, stream, other)
		}
	}()
	m := cut(stream)
	if len(m) == 0 {
		return bend(r, stream, other)
	}
	i, j := r.Intn(len(m)), r.Intn(len(m))
	switch r.Intn(10) {
	case 0:
		m = append(m[:i], m[i+1:]...)
	case 1:
		m = append(m, m[i])
	case 2:
		m[i], m[j] = m[j], m[i]
	case 3:
		if o := cut(other); len(o) > 0 {
			m[i] = o[r.Intn(len(o))]
		}
	case 4: // another id in front
		if len(m[i]) > 0 {
			head := 1
			if m[i][0] >= 128 {
				head = 1 + int(-int8(m[i][0]))
			}
			m[i] = append(number(edges[r.Intn(len(edges))]), m[i][head:]...)
		}
	default:
		m[i] = bend(r, m[i], other)
	}
	return join(m)
}
