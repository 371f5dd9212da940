package leat

import (
	"encoding/binary"
	"encoding/hex"
	"math/bits"
)

// XXH3 with 128 bits and seed 0, by its published description; only fingerprints need it.
const (
	p32a, p32b, p32c = 0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D
	p64a, p64b, p64c = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9
	p64d, p64e       = 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5
	mixA, mixB       = 0x165667919E3779F9, 0x9FB21C651E98DF25
)

var xxhSecret, _ = hex.DecodeString("b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221" +
	"b8084674f743248ee03590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8a8fa763fe39c343ff9dcbbc7c70b4f1d" +
	"8a51e04bcdb45931c89f7ec9d9787364eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce" +
	"45cb3a8f95160428afd7fbcabb4b407e")

func r64(b []byte, at int) uint64  { return binary.LittleEndian.Uint64(b[at:]) }
func r32(b []byte, at int) uint32  { return binary.LittleEndian.Uint32(b[at:]) }
func secret64(at int) uint64       { return r64(xxhSecret, at) }
func fold(a, b uint64) uint64      { hi, lo := bits.Mul64(a, b); return hi ^ lo }
func mix16(b []byte, s int) uint64 { return fold(r64(b, 0)^secret64(s), r64(b, 8)^secret64(s+8)) }
func plainSum(b []byte) uint64     { return r64(b, 0) + r64(b, 8) }
func avalanche(h uint64) uint64    { h = (h ^ h>>37) * mixA; return h ^ h>>32 }
func avalanche64(h uint64) uint64  { h = (h ^ h>>33) * p64b; h = (h ^ h>>29) * p64c; return h ^ h>>32 }
func xxhPair(lo, hi uint64) [16]byte {
	var out [16]byte
	binary.BigEndian.PutUint64(out[:8], hi)
	binary.BigEndian.PutUint64(out[8:], lo)
	return out
}

func fingerprint(b []byte) [16]byte {
	switch n := len(b); {
	case n == 0:
		return xxhPair(avalanche64(secret64(64)^secret64(72)), avalanche64(secret64(80)^secret64(88)))
	case n <= 3:
		l := uint32(b[0])<<16 | uint32(b[n>>1])<<24 | uint32(b[n-1]) | uint32(n)<<8
		h := bits.RotateLeft32(bits.ReverseBytes32(l), 13)
		return xxhPair(avalanche64(uint64(l)^uint64(r32(xxhSecret, 0)^r32(xxhSecret, 4))),
			avalanche64(uint64(h)^uint64(r32(xxhSecret, 8)^r32(xxhSecret, 12))))
	case n <= 8:
		keyed := (uint64(r32(b, 0)) + uint64(r32(b, n-4))<<32) ^ (secret64(16) ^ secret64(24))
		hi, lo := bits.Mul64(keyed, p64a+uint64(n)<<2)
		hi += lo << 1
		lo ^= hi >> 3
		lo = (lo ^ lo>>35) * mixB
		return xxhPair(lo^lo>>28, avalanche(hi))
	case n <= 16:
		last := r64(b, n-8)
		hi, lo := bits.Mul64(r64(b, 0)^last^(secret64(32)^secret64(40)), p64a)
		lo += uint64(n-1) << 54
		last ^= secret64(48) ^ secret64(56)
		hi += last + (last&0xffffffff)*(p32b-1)
		lo ^= bits.ReverseBytes64(hi)
		hi2, lo2 := bits.Mul64(lo, p64b)
		return xxhPair(avalanche(lo2), avalanche(hi2+hi*p64b))
	case n <= 240:
		return xxhMiddle(b)
	}
	return xxhLong(b)
}

func xxhMiddle(b []byte) [16]byte {
	n := len(b)
	lo, hi := uint64(n)*p64a, uint64(0)
	mix32 := func(one, two, s int) {
		lo = (lo + mix16(b[one:], s)) ^ plainSum(b[two:])
		hi = (hi + mix16(b[two:], s+16)) ^ plainSum(b[one:])
	}
	if n <= 128 {
		for i := (n - 1) / 32; i >= 0; i-- {
			mix32(16*i, n-16*(i+1), 32*i)
		}
	} else {
		for i := 32; i < 160; i += 32 {
			mix32(i-32, i-16, i-32)
		}
		lo, hi = avalanche(lo), avalanche(hi)
		for i := 160; i <= n; i += 32 {
			mix32(i-32, i-16, 3+i-160)
		}
		mix32(n-16, n-32, 136-17-16)
	}
	return xxhPair(avalanche(lo+hi), -avalanche(lo*p64a+hi*p64d+uint64(n)*p64b))
}

func xxhLong(b []byte) [16]byte {
	acc := [8]uint64{p32c, p64a, p64b, p64c, p64d, p32b, p64e, p32a}
	stripe := func(at, s int) {
		for i := 0; i < 8; i++ {
			v := r64(b, at+8*i)
			k := v ^ secret64(s+8*i)
			acc[i^1] += v
			acc[i] += (k & 0xffffffff) * (k >> 32)
		}
	}
	n := len(b)
	for at, k := 0, 0; at < (n-1)/64*64; at += 64 {
		stripe(at, 8*k)
		if k++; k == 16 && at+64 <= (n-1)/1024*1024 {
			for i := range acc {
				acc[i] = ((acc[i] ^ acc[i]>>47) ^ secret64(128+8*i)) * p32a
			}
			k = 0
		}
	}
	stripe(n-64, 121)
	merge := func(s int, sum uint64) uint64 {
		for i := 0; i < 4; i++ {
			sum += fold(acc[2*i]^secret64(s+16*i), acc[2*i+1]^secret64(s+16*i+8))
		}
		return avalanche(sum)
	}
	return xxhPair(merge(11, uint64(n)*p64a), merge(117, ^(uint64(n)*p64b)))
}
