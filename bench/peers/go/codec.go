package main

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"io"
	"sort"
	"time"
)

// What a codec costs: one value, and a list of 1,000 of them. See peers/codec/codec.h.

type codecRow struct {
	Id    int64
	Name  string
	Value float64
	When  time.Time
}

type codecRows struct{ Rows []codecRow }

const (
	codecBatches = 101
	codecMany    = 1000
)

func registerCodecs() {
	register("gob", 2000, func(n int) { codecRowsOf("gob", n, gobCodec) })
	register("json", 2000, func(n int) { codecRowsOf("json", n, jsonCodec) })
}

func codecValues() (one codecRow, many codecRows) {
	one = codecRow{42, "a name of 20 bytes..", 2.5, time.Unix(1700000000, 5).In(time.FixedZone("", 3600))}
	for i := 0; i < codecMany; i++ {
		many.Rows = append(many.Rows, one)
	}
	return
}

// codecMeasure is the median of so many batches of rounds, in ns.
func codecMeasure(rounds int, one func()) float64 {
	var each []float64
	one()
	for i := 0; i < codecBatches; i++ {
		start := time.Now()
		for k := 0; k < rounds; k++ {
			one()
		}
		each = append(each, float64(time.Since(start).Nanoseconds())/float64(rounds))
	}
	sort.Float64s(each)
	return each[len(each)/2]
}

// codecRowsOf prints the six rows of a codec, which gives what encodes, what decodes, and how many bytes it has encoded.
func codecRowsOf(name string, n int, codec func(many bool) (encode, decode func(), size func() int)) {
	for _, how := range []struct {
		name, unit string
		many       bool
		rounds     int
		scale      float64
	}{{"1", "ns", false, n, 1}, {"1000", "us", true, n/codecMany + 1, 1000}} {
		encode, decode, size := codec(how.many)
		result(name+"-encode-"+how.name, how.unit, codecMeasure(how.rounds, encode)/how.scale)
		result(name+"-bytes-"+how.name, "B", float64(size()))
		result(name+"-decode-"+how.name, how.unit, codecMeasure(how.rounds, decode)/how.scale)
	}
}

func codecLook(r *codecRow) {
	_, zone := r.When.Zone()
	if r.Id != 42 || len(r.Name) != 20 || r.Value != 2.5 || zone != 3600 {
		wrong("another value came out")
	}
}

func codecMust(err error) {
	if err != nil {
		wrong("%v", err)
	}
}

// again reads the same bytes over and over, after those that come first.
type again struct {
	first, rest []byte
	at          int
}

func (a *again) Read(p []byte) (int, error) {
	if len(a.first) > 0 {
		n := copy(p, a.first)
		a.first = a.first[n:]
		return n, nil
	}
	if a.at == len(a.rest) {
		a.at = 0
	}
	n := copy(p, a.rest[a.at:])
	a.at += n
	return n, nil
}

func (a *again) ReadByte() (byte, error) {
	var b [1]byte
	_, err := a.Read(b[:])
	return b[0], err
}

var _ io.ByteReader = (*again)(nil)

func gobCodec(many bool) (encode, decode func(), size func() int) {
	one, list := codecValues()
	var b bytes.Buffer
	enc := gob.NewEncoder(&b)
	put := func() {
		if many {
			codecMust(enc.Encode(&list))
		} else {
			codecMust(enc.Encode(&one))
		}
	}
	put() // the types go before what is measured
	source := &again{first: append([]byte(nil), b.Bytes()...)}
	encode = func() {
		b.Reset()
		put()
	}
	var dec *gob.Decoder
	decode = func() {
		if dec == nil {
			source.rest = append([]byte(nil), b.Bytes()...)
			dec = gob.NewDecoder(source)
		}
		if many {
			var got codecRows
			codecMust(dec.Decode(&got))
			codecLook(&got.Rows[codecMany-1])
		} else {
			var got codecRow
			codecMust(dec.Decode(&got))
			codecLook(&got)
		}
	}
	return encode, decode, b.Len
}

func jsonCodec(many bool) (encode, decode func(), size func() int) {
	one, list := codecValues()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	encode = func() {
		b.Reset()
		if many {
			codecMust(enc.Encode(&list))
		} else {
			codecMust(enc.Encode(&one))
		}
	}
	decode = func() {
		if many {
			var got codecRows
			codecMust(json.Unmarshal(b.Bytes(), &got))
			codecLook(&got.Rows[codecMany-1])
		} else {
			var got codecRow
			codecMust(json.Unmarshal(b.Bytes(), &got))
			codecLook(&got)
		}
	}
	return encode, decode, b.Len
}
