// Values of any type, made up at random.
package main

import (
	"math"
	"math/big"
	"math/rand"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"time"
)

func text(r *rand.Rand) string {
	const letters = "abcXYZ01 <&>\"\\/\n\r\b\f\t\u007f\u0001éß世\u2028\u2029🦀\xff\xc3\x00\xed\xa0\x80"
	n := r.Intn(7)
	switch r.Intn(60) {
	case 0:
		n = 100 + r.Intn(200)
	case 1:
		n = r.Intn(5000)
	}
	var b strings.Builder
	for ; n > 0; n-- {
		b.WriteByte(letters[r.Intn(len(letters))])
	}
	return b.String()
}

func integer(r *rand.Rand) int64 {
	switch r.Intn(6) {
	case 0:
		return int64(r.Intn(3)) - 1
	case 1:
		edge := int64(1) << uint(7+8*r.Intn(4)+r.Intn(2))
		return (edge + int64(r.Intn(3)) - 1) * int64(1-2*r.Intn(2))
	case 2:
		return []int64{math.MaxInt64, math.MinInt64, math.MaxInt64 - 1, 63, 64, -64, -65}[r.Intn(7)]
	}
	return r.Int63() >> uint(r.Intn(64)) * int64(1-2*r.Intn(2))
}

func float(r *rand.Rand) float64 {
	switch r.Intn(8) {
	case 0:
		return []float64{0, math.Copysign(0, -1), math.Inf(1), math.Inf(-1), math.NaN(), math.MaxFloat64, 5e-324, math.MaxFloat32,
			1e21, 1e20, 1e-6, 1e-7, 17, 0.1}[r.Intn(14)]
	case 1:
		return float64(r.Intn(2000)-1000) / 8
	case 2:
		return math.Float64frombits(r.Uint64())
	case 3:
		return r.Float64() * math.Pow10(r.Intn(60)-30)
	case 4:
		return float64(float32(r.NormFloat64()))
	case 5:
		return math.MaxFloat32 * (0.99999999 + float64(r.Intn(3))*1e-8)
	}
	return r.NormFloat64()
}

func when(r *rand.Rand) time.Time {
	var t time.Time
	switch r.Intn(8) {
	case 0:
		return t
	case 1:
		t = time.Unix(r.Int63()>>uint(r.Intn(40))-1<<40, r.Int63n(1e9))
	default:
		t = time.Unix(r.Int63n(250e9)-60e9, r.Int63n(1e9)*int64(r.Intn(2)))
	}
	switch r.Intn(5) {
	case 0:
		return t.UTC()
	case 1:
		return t.In(time.FixedZone("", 60*(r.Intn(2879)-1439)))
	case 2:
		return t.In(time.FixedZone("", r.Intn(100000))) // only east: of the seconds of a zone west Go's reader makes others
	case 3:
		return t.In(time.FixedZone("", 60*(r.Intn(60000)-30000)))
	}
	return t.In(time.FixedZone("", 3600*(r.Intn(24)-12)))
}

// fill sets v at random; `deep` bounds types inside themselves, `boxes` is what interfaces may hold.
func fill(r *rand.Rand, v reflect.Value, deep int, boxes []reflect.Type) {
	switch x := v.Addr().Interface().(type) {
	case *time.Time:
		*x = when(r)
		return
	case *big.Int:
		x.Rand(r, new(big.Int).Lsh(big.NewInt(1), uint(1+r.Intn(200))))
		if r.Intn(2) == 0 {
			x.Neg(x)
		}
		return
	case *Sealed:
		*x = Sealed{r.Intn(256), r.Intn(256)}
		return
	case *Packed:
		x.text = text(r)
		return
	case *netip.Addr:
		*x = netip.AddrFrom4([4]byte{10, 0, byte(r.Intn(256)), 1})
		return
	case *url.URL:
		*x = url.URL{Scheme: "http", Host: "a.example", Path: "/" + strings.ToValidUTF8(text(r), "?")}
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(r.Intn(2) == 0)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(integer(r))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		v.SetUint(uint64(integer(r)))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(float(r))
	case reflect.Complex64, reflect.Complex128:
		v.SetComplex(complex(float(r), float(r)))
	case reflect.String:
		v.SetString(text(r))
	default:
		fillParts(r, v, deep, boxes)
	}
}

func fillParts(r *rand.Rand, v reflect.Value, deep int, boxes []reflect.Type) {
	t := v.Type()
	n := r.Intn(4)
	if deep <= 0 {
		n = 0
	}
	switch v.Kind() {
	case reflect.Slice:
		if r.Intn(5) == 0 {
			return
		}
		if deep > 0 && r.Intn(50) == 0 {
			n = r.Intn(300) / (1 + int(t.Elem().Size()/16))
			deep = 1
		}
		v.Set(reflect.MakeSlice(t, n, n))
		for i := 0; i < n; i++ {
			fillWhole(r, v.Index(i), deep-1, boxes)
		}
	case reflect.Array:
		for i := 0; i < v.Len() && r.Intn(6) > 0; i++ {
			fillWhole(r, v.Index(i), deep-1, boxes)
		}
		for i := 0; i < v.Len(); i++ {
			full(v.Index(i), boxes)
		}
	case reflect.Map:
		if r.Intn(5) == 0 {
			return
		}
		v.Set(reflect.MakeMap(t))
		for ; n > 0; n-- {
			key, value := reflect.New(t.Key()).Elem(), reflect.New(t.Elem()).Elem()
			fillWhole(r, key, deep-1, boxes)
			fillWhole(r, value, deep-1, boxes)
			v.SetMapIndex(key, value)
		}
	case reflect.Ptr:
		if deep > 0 && r.Intn(3) > 0 {
			v.Set(reflect.New(t.Elem()))
			fillWhole(r, v.Elem(), deep-1, boxes)
		}
	case reflect.Interface:
		if deep > 0 && r.Intn(4) > 0 && len(boxes) > 0 {
			x := reflect.New(boxes[r.Intn(len(boxes))]).Elem()
			fillWhole(r, x, deep-1, boxes)
			v.Set(x)
		}
	case reflect.Struct:
		for i := 0; i < v.NumField(); i++ {
			if v.Field(i).CanSet() && r.Intn(6) > 0 {
				fill(r, v.Field(i), deep-1, boxes)
			}
		}
	}
}

// fillWhole is for what stands in no field: gob sends no nil pointer there.
func fillWhole(r *rand.Rand, v reflect.Value, deep int, boxes []reflect.Type) {
	fill(r, v, deep, boxes)
	full(v, boxes)
}

func full(v reflect.Value, boxes []reflect.Type) {
	for v.Kind() == reflect.Ptr {
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		v = v.Elem()
	}
}
