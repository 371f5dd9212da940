// What `leat decode` is to print of a value that Go has read: what encoding/json prints, but for what docs/gob.md names.
package main

import (
	"bytes"
	"encoding"
	"encoding/base64"
	"encoding/gob"
	"encoding/json"
	"math"
	"math/big"
	"math/bits"
	"reflect"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"time"
)

type shower struct {
	bytes.Buffer
	odd    bool // something that encoding/json prints otherwise, or not at all
	noTime bool // a zero time, which is not sent: where the process had a *time.Time first, the type has no name, and who does not know it
	// takes a zero of it for anything; so then either is right
	nameless bool
	unknown  bool // something that the bytes do not tell for certain
	// what damage makes otherwise of to who does not know the types: a zero that gob always sends may be missing, a float32 be none
	ghost   bool
	evolved bool // the sender's type was another
	same    bool // an empty list is as good as none: where a described type lies between
}

func (s *shower) json(v interface{}) {
	b, err := json.Marshal(v)
	if err != nil {
		s.unknown = true // a time that encoding/json refuses
		return
	}
	s.Write(asToday(b))
}

// Before Go 1.22 encoding/json spelled two characters otherwise.
var spelled = regexp.MustCompile(`\\(?:u000[8c]|.)`)

func asToday(json []byte) []byte {
	return spelled.ReplaceAllFunc(json, func(e []byte) []byte {
		switch string(e) {
		case `\u0008`:
			return []byte(`\b`)
		case `\u000c`:
			return []byte(`\f`)
		}
		return e
	})
}

func opaque(v reflect.Value) ([]byte, bool) {
	for _, x := range []reflect.Value{v, addr(v)} {
		switch m := x.Interface().(type) {
		case gob.GobEncoder:
			b, _ := m.GobEncode()
			return b, true
		case encoding.BinaryMarshaler:
			b, _ := m.MarshalBinary()
			return b, true
		}
	}
	return nil, false
}

func byItself(v reflect.Value) bool {
	if v.Kind() == reflect.Ptr || v.Kind() == reflect.Interface {
		return false
	}
	_, one := v.Interface().(gob.GobEncoder)
	_, other := v.Interface().(encoding.BinaryMarshaler)
	return one || other
}

func addr(v reflect.Value) reflect.Value {
	if v.CanAddr() {
		return v.Addr()
	}
	p := reflect.New(v.Type())
	p.Elem().Set(v)
	return p
}

func wasFloat32(f float64) bool {
	g := float32(f)
	b := math.Float32bits(g)
	exponent, mantissa := b>>23&0xff, b&0x7fffff
	if exponent != 0 {
		mantissa |= 1 << 23
	}
	if float64(g) != f || exponent == 0xff || mantissa == 0 {
		return false
	}
	digits := strings.TrimRight(strings.Replace(strings.SplitN(strconv.FormatFloat(math.Abs(f), 'e', -1, 64), "e", 2)[0], ".", "", 1), "0")
	return bits.Len32(mantissa)-bits.TrailingZeros32(mantissa) > 8 && len(digits) >= 16
}

func (s *shower) float(f float64, is32 bool) {
	if s.same && f == 0 {
		f = 0 // Go's encoder leaves -0 out, leat's sends it
	}
	switch {
	case math.IsNaN(f):
		s.WriteString(`"NaN"`)
		s.odd = true
	case math.IsInf(f, 1):
		s.WriteString(`"+Inf"`)
		s.odd = true
	case math.IsInf(f, -1):
		s.WriteString(`"-Inf"`)
		s.odd = true
	default:
		short, long := &shower{}, &shower{}
		short.json(float32(f))
		long.json(f)
		if wasFloat32(f) {
			long, short = short, long
		}
		s.Write(long.Bytes())
		s.odd = s.odd || is32 != wasFloat32(f) && short.String() != long.String()
	}
}

// none: what stands for a field that was not sent
func none(base reflect.Type, named bool) string {
	if base == timeType && named {
		return `"0001-01-01T00:00:00Z"`
	}
	if _, ok := opaque(reflect.Zero(base)); ok {
		return "null"
	}
	switch base.Kind() {
	case reflect.Bool:
		return "false"
	case reflect.String:
		return `""`
	case reflect.Complex64, reflect.Complex128:
		return `"(0+0i)"`
	case reflect.Slice, reflect.Map, reflect.Interface, reflect.Struct, reflect.Array:
		return "null"
	}
	return "0"
}

func isNone(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Ptr, reflect.Interface, reflect.Map:
		return v.IsNil()
	case reflect.Slice:
		return v.Len() == 0
	case reflect.Float32, reflect.Float64:
		return math.Float64bits(v.Float()) == 0 // -0 is sent
	case reflect.Bool, reflect.String, reflect.Complex64, reflect.Complex128:
		return v.IsZero()
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32,
		reflect.Uint64, reflect.Uintptr:
		return v.IsZero()
	}
	return false
}

func (s *shower) value(v reflect.Value, field bool) {
	t := v.Type()
	base := t
	for base.Kind() == reflect.Ptr {
		base = base.Elem()
	}
	for x := v; field; x = x.Elem() {
		own := byItself(x) // a method of the pointer is asked for a zero, too
		if isNone(x) || own && x.Kind() != reflect.Ptr && v.Kind() != reflect.Ptr && x.IsZero() {
			text := none(base, s.same || !s.nameless)
			s.noTime = s.noTime || base == timeType
			s.ghost = s.ghost || own || base.Kind() == reflect.Float32 || base.Kind() == reflect.Complex64
			s.odd = s.odd || own && t != timeType || t != base || v.Kind() == reflect.Slice && !v.IsNil()
			s.WriteString(text)
			return
		}
		if x.Kind() != reflect.Ptr {
			break
		}
	}
	s.ghost = s.ghost || field && v.IsZero()
	for v.Kind() == reflect.Ptr {
		if v.IsNil() {
			s.WriteString("null")
			return
		}
		v = v.Elem()
	}
	if v.Type() == timeType {
		s.time(v.Interface().(time.Time))
		return
	}
	if v.Type() == bigType {
		s.odd = s.odd || t == bigType                       // MarshalJSON is a method of the pointer
		s.ghost = true                                      // damaged bytes may begin with a 0, as no encoder's do
		s.unknown = s.unknown || t != bigType && v.IsZero() // a nil one goes as no bytes
		s.WriteString(v.Addr().Interface().(*big.Int).String())
		return
	}
	if b, own := opaque(v); own && v.Kind() != reflect.Interface {
		s.odd, s.ghost = true, true // damaged bytes may read as what is written otherwise
		s.WriteString(strconv.Quote(base64.StdEncoding.EncodeToString(b)))
		return
	}
	switch v.Kind() {
	case reflect.Float32, reflect.Float64:
		s.ghost = s.ghost || v.Kind() == reflect.Float32
		s.float(v.Float(), v.Kind() == reflect.Float32)
	case reflect.Complex64, reflect.Complex128:
		s.odd = true
		s.ghost = s.ghost || v.Kind() == reflect.Complex64
		s.complex(v.Complex())
	case reflect.Interface:
		if v.IsNil() {
			s.WriteString("null")
			return
		}
		box := reflect.New(v.Elem().Type()).Elem()
		box.Set(v.Elem())
		s.value(box, false)
	case reflect.Struct:
		s.structure(v)
	case reflect.Map:
		s.entries(v)
	case reflect.Slice, reflect.Array:
		s.row(v)
	default:
		s.json(v.Interface())
	}
}

func (s *shower) time(t time.Time) {
	s.ghost = true // of damaged nanoseconds and zones Go makes what it likes
	if s.same && s.evolved && t.Unix() == 0 && t.Nanosecond() == 0 {
		t = time.Time{} // a date that the sender did not have is 0 here, and that is 1970
	}
	s.json(t)
}

func (s *shower) complex(c complex128) {
	part := func(f float64) string {
		p := shower{}
		p.plainFloat(f)
		return strings.Trim(p.String(), `"`)
	}
	im := part(imag(c))
	if im[0] != '-' && im[0] != '+' {
		im = "+" + im
	}
	s.WriteString(`"(` + part(real(c)) + im + `i)"`)
}

func (s *shower) plainFloat(f float64) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		s.float(f, false)
		return
	}
	s.json(f)
}

func (s *shower) structure(v reflect.Value) {
	s.WriteByte('{')
	first := true
	for i := 0; i < v.NumField(); i++ {
		f := v.Type().Field(i)
		if f.PkgPath != "" {
			continue
		}
		s.odd = s.odd || f.Anonymous
		if !first {
			s.WriteByte(',')
		}
		first = false
		s.json(f.Name)
		s.WriteByte(':')
		s.value(v.Field(i), true)
	}
	s.WriteByte('}')
}

func (s *shower) row(v reflect.Value) {
	if v.Kind() == reflect.Slice && s.same && v.Len() == 0 {
		s.WriteString("null")
		return
	}
	s.odd = s.odd || v.Kind() == reflect.Slice && v.IsNil() // an empty one was sent, and Go's reader leaves what it finds
	if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8 {
		s.json(append([]byte{}, v.Bytes()...))
		return
	}
	s.WriteByte('[')
	for i := 0; i < v.Len(); i++ {
		if i > 0 {
			s.WriteByte(',')
		}
		s.value(v.Index(i), false)
	}
	s.WriteByte(']')
}

func (s *shower) entries(v reflect.Value) {
	if v.IsNil() || s.same && v.Len() == 0 {
		s.WriteString("null")
		return
	}
	switch v.Type().Key().Kind() {
	case reflect.String, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint8, reflect.Uint16, reflect.Uint32,
		reflect.Uint64, reflect.Uint:
	default:
		s.odd = true
	}
	all := map[string]reflect.Value{}
	keys := []string{}
	for each := v.MapRange(); each.Next(); {
		k := each.Key()
		var key string
		if k.Kind() == reflect.String {
			key = k.String()
		} else {
			p := shower{}
			box := reflect.New(k.Type()).Elem()
			box.Set(k)
			p.value(box, false)
			key = p.String()
			if strings.HasPrefix(key, `"`) {
				key = key[1 : len(key)-1]
			}
			s.unknown, s.ghost = s.unknown || p.unknown, s.ghost || p.ghost
		}
		if _, twice := all[key]; twice {
			s.unknown = true
		}
		all[key] = each.Value()
		keys = append(keys, key)
	}
	sort.Strings(keys)
	s.WriteByte('{')
	for i, k := range keys {
		if i > 0 {
			s.WriteByte(',')
		}
		s.json(k)
		s.WriteByte(':')
		box := reflect.New(v.Type().Elem()).Elem()
		box.Set(all[k])
		s.value(box, false)
	}
	s.WriteByte('}')
}
