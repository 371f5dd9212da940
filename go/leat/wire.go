package leat

import (
	"encoding/binary"
	"errors"
)

// The kinds of frames.
const (
	kHello, kWelcome, kDead, kAck, kPing, kPong          = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06
	kBye, kAttach, kAttached, kDrop, kTorn, kType, kForm = 0x20, 0x30, 0x31, 0x32, 0x33, 0x34, 0x35
	kNeed, kGrant, kNone, kRecall, kReturn               = 0x38, 0x39, 0x3a, 0x3b, 0x3c
	kElem, kInvite, kTaken, kBusy, kWithdraw, kWithdrawn = 0x40, 0x41, 0x42, 0x43, 0x44, 0x45
	kClose, kSeal, kSealed, kFinish, kFlush, kFlushed    = 0x48, 0x49, 0x4a, 0x4b, 0x4c, 0x4d
	kOpen, kResult, kCancel, kDone                       = 0x60, 0x61, 0x62, 0x63
	numbered, flagMore                                   = 0x20, 1
)

// Limits, in bytes but for the last two.
const (
	frameMax, helloMax, headerLen, pieceMax = 65536, 1024, 8, 16384
	limitElem, limitKept                    = 16 << 20, 16 << 20
	windowBytes, windowTold                 = 1 << 20, 256 << 10
	limitEnds, limitRelay                   = 16, 8
)

var kindNames = map[byte]string{
	kHello: "HELLO", kWelcome: "WELCOME", kDead: "DEAD", kAck: "ACK", kPing: "PING",
	kPong: "PONG", kBye: "BYE", kAttach: "ATTACH", kAttached: "ATTACHED", kDrop: "DROP",
	kTorn: "TORN", kType: "TYPE", kForm: "FORM", kNeed: "NEED", kGrant: "GRANT", kNone: "NONE",
	kRecall: "RECALL", kReturn: "RETURN", kElem: "ELEM", kInvite: "INVITE", kTaken: "TAKEN",
	kBusy: "BUSY", kWithdraw: "WITHDRAW", kWithdrawn: "WITHDRAWN", kClose: "CLOSE", kSeal: "SEAL",
	kSealed: "SEALED", kFinish: "FINISH", kFlush: "FLUSH", kFlushed: "FLUSHED", kOpen: "OPEN",
	kResult: "RESULT", kCancel: "CANCEL", kDone: "DONE",
}

var preamble = [16]byte{0x8b, 'L', 'E', 'A', 'T', '\r', '\n', 0x1a, 1, 0, 3, 0}

// What is appended to a message.
func putVarint(b []byte, v uint64) []byte { return binary.AppendUvarint(b, v) }
func putText(b []byte, s string) []byte   { return append(putVarint(b, uint64(len(s))), s...) }
func put32(b []byte, v uint32) []byte     { return binary.LittleEndian.AppendUint32(b, v) }
func put64(b []byte, v uint64) []byte     { return binary.LittleEndian.AppendUint64(b, v) }
func zigzag(n int32) uint64               { return uint64(uint32(n<<1) ^ uint32(n>>31)) }

var errShort = errors.New("it ends too early")

// A cursor over bytes from elsewhere.  The first thing that is wrong is kept in err; what is read after it is zero.
type cursor struct {
	b   []byte
	at  int
	err error
}

func (c *cursor) left() int { return len(c.b) - c.at }

func (c *cursor) wrong(err error) {
	if c.err == nil {
		c.err = err
	}
	c.at = len(c.b)
}

func (c *cursor) take(n int) []byte {
	if n < 0 || n > c.left() {
		c.wrong(errShort)
		return nil
	}
	c.at += n
	return c.b[c.at-n : c.at : c.at]
}

func (c *cursor) u8() byte {
	if b := c.take(1); b != nil {
		return b[0]
	}
	return 0
}

// number reads n little-endian bytes.
func (c *cursor) number(n int) uint64 {
	var v uint64
	for i, b := range c.take(n) {
		v |= uint64(b) << (8 * i)
	}
	return v
}

func (c *cursor) varint() uint64 {
	var v uint64
	for i := 0; i < 10; i++ {
		b := c.u8()
		if c.err != nil {
			return 0
		}
		if i == 9 && b > 1 {
			break
		}
		v |= uint64(b&127) << (7 * i)
		if b < 128 {
			if b == 0 && i > 0 {
				break
			}
			return v
		}
	}
	c.wrong(errors.New("a varint that is not the shortest form, or over 64 bits"))
	return 0
}

func (c *cursor) text(least, most int) []byte {
	n := c.varint()
	if c.err == nil && (n > uint64(c.left()) || n > uint64(most) || n < uint64(least)) {
		c.wrong(errors.New("a text that is too long, too short, or cut"))
	}
	if c.err != nil {
		return nil
	}
	return c.take(int(n))
}

func (c *cursor) id16() (id [16]byte) {
	copy(id[:], c.take(16))
	return id
}
