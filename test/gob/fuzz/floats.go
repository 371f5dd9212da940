// Floats as text, beside encoding/json: powers of two and their neighbours, ties, subnormal numbers, and any bits.
package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand"
)

type floats struct {
	bits   []uint64
	narrow []bool
}

func (all *floats) add(f float64, narrow bool) {
	if narrow {
		f = float64(float32(f))
	}
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return
	}
	bits := math.Float64bits(f)
	if narrow {
		bits = uint64(math.Float32bits(float32(f)))
	}
	all.bits, all.narrow = append(all.bits, bits), append(all.narrow, narrow)
}

func madeUp(r *rand.Rand, count int) *floats {
	all := &floats{}
	for e := -1074; e < 1024; e++ {
		for d := int64(-2); d <= 2; d++ {
			all.add(math.Float64frombits(uint64(int64(math.Float64bits(math.Ldexp(1, e)))+d)), false)
			all.add(float64(math.Float32frombits(uint32(int64(math.Float32bits(float32(math.Ldexp(1, e))))+d))), true)
		}
	}
	for e := 1; e <= 12; e++ { // n / 2^e is m5 in decimal: in the middle between two decimals of one digit less
		for n := int64(1); n < 1e9/int64(math.Pow(5, float64(e))) && n < 1000; n += 2 {
			all.add(math.Ldexp(float64(n), -e), true)
		}
	}
	for i := 0; i < count; i++ {
		few := r.Uint64() >> uint(r.Intn(64))
		for _, f := range []float64{math.Float64frombits(r.Uint64()), math.Float64frombits(r.Uint64() >> 12), float64(r.Int63()),
			float64(math.Float32frombits(r.Uint32())), float64(math.Float32frombits(r.Uint32() >> 9)),
			math.Ldexp(float64(few), r.Intn(300)-200), float64(r.Int63n(1e15)) / math.Pow10(r.Intn(25)),
			float64(r.Intn(1e7)*5) / math.Pow10(r.Intn(12))} {
			all.add(f, false)
			all.add(f, true)
		}
	}
	return all
}

// floats: leat's text of each, and what leat reads that as; the exit code
func (f *fuzzer) floats(r *rand.Rand, count int) (code int) {
	all := madeUp(r, count)
	var ask bytes.Buffer
	for i, bits := range all.bits {
		ask.WriteByte(map[bool]byte{false: 8, true: 4}[all.narrow[i]])
		binary.Write(&ask, binary.LittleEndian, bits)
	}
	lines := bytes.Split(f.peer.ask('n', ask.Bytes()), []byte{'\n'})
	if len(lines) != len(all.bits)+1 {
		fmt.Printf("%d lines of %d floats\n", len(lines), len(all.bits))
		return 1
	}
	for i, bits := range all.bits {
		var want []byte
		if all.narrow[i] {
			want, _ = json.Marshal(math.Float32frombits(uint32(bits)))
		} else {
			want, _ = json.Marshal(math.Float64frombits(bits))
		}
		want = append(want, ' ')
		want = append(want, fmt.Sprintf("%x", bits)...)
		// ../differences: 2^-12 as Go prints it from 1.26 on
		if got := bytes.Replace(lines[i], []byte("0.00024414062 39800000"), []byte("0.00024414063 39800000"), 1); !bytes.Equal(got, want) &&
			!bytes.Equal(lines[i], want) && code < 1 {
			fmt.Printf("float %x, narrow %v: leat %s, Go %s\n", bits, all.narrow[i], lines[i], want)
			code = 1
		}
	}
	fmt.Printf("%d floats\n", len(all.bits))
	return code
}
