package leat

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"sort"
	"strings"
	"time"
)

// An encoder appends values to b.  What has ends of channels in it is encoded for one session, under the node's lock.
type encoder struct {
	b    []byte
	s    *Peer // whom the ends are told; nil: none may be there
	ends []*passed
	deep int

	plain bool // of errors only code and text
}

func encode(d *desc, v reflect.Value) ([]byte, error) {
	e := &encoder{}
	err := e.value(d, v, "")
	return e.b, err
}

// encodeBoth gives the bytes for any peer, and those for one of version 1.1, which are often the same.
func encodeBoth(d *desc, v reflect.Value) (b, plain []byte, err error) {
	b, err = encode(d, v)
	if err != nil {
		return nil, nil, err
	}
	e := &encoder{plain: true}
	err = e.value(d, v, "")
	if string(e.b) == string(b) {
		return b, b, err
	}
	return b, e.b, err
}

func (e *encoder) errorValue(x *ErrorValue, path string) error {
	for row := 0; x != nil; row, x = row+1, x.Cause {
		if row == errorChain {
			return fail(Limit, "%s: over %d errors in a row", field(path), errorChain)
		}
		more := (x.Node != "" || len(x.Details) > 0 || x.Cause != nil) && !e.plain && (e.s == nil || e.s.minor >= 2)
		code := uint32(x.Code)
		if more {
			code |= errorMore
		}
		e.b = putText(put32(e.b, code), x.Text)
		if !more {
			return nil
		}
		e.b = putText(putText(e.b, x.Node), string(x.Details))
		e.b = append(e.b, boolByte(x.Cause != nil))
	}
	return nil
}

func (e *encoder) value(d *desc, v reflect.Value, path string) error {
	switch d.kind {
	case tBool:
		e.b = append(e.b, boolByte(v.Bool()))
	case tInt:
		e.number(uint64(v.Int()), d.size)
	case tEnum:
		e.number(uint64(v.Int()), 4)
	case tUint:
		e.number(v.Uint(), d.size)
	case tFloat:
		if d.size == 4 {
			e.number(uint64(math.Float32bits(float32(v.Float()))), 4)
		} else {
			e.number(math.Float64bits(v.Float()), 8)
		}
	case tString:
		e.b = putText(e.b, v.String())
	case tBytes:
		e.b = append(putVarint(e.b, uint64(v.Len())), v.Bytes()...)
	case tDuration:
		e.number(uint64(v.Int()), 8)
	case tDate:
		t := v.Interface().(time.Time)
		_, offset := t.Zone()
		e.number(uint64(t.Unix()), 8)
		e.number(uint64(t.Nanosecond()), 4)
		e.number(uint64(offset), 4)
	case tError:
		x := v.Interface().(ErrorValue)
		return e.errorValue(&x, path)
	case tArray:
		for i := 0; i < d.size; i++ {
			_ = e.value(d.elem, v.Index(i), path)
		}
	case tStruct:
		for _, m := range d.mem {
			if err := e.value(m.d, v.Field(m.index), path+"."+m.name); err != nil {
				return err
			}
		}
	case tChars, tCstr:
		return e.cText(d, v, path)
	case tTx, tRx:
		return e.end(d, v, path)
	default:
		if e.deep++; e.deep > valueDeep {
			return fail(Limit, "%s: more than %d values inside each other", field(path), valueDeep)
		}
		err := e.container(d, v, path)
		e.deep--
		return err
	}
	return nil
}

func (e *encoder) container(d *desc, v reflect.Value, path string) error {
	switch d.kind {
	case tOptional:
		if e.b = append(e.b, boolByte(!v.IsNil())); !v.IsNil() {
			return e.value(d.elem, v.Elem(), path)
		}
	case tList:
		e.b = putVarint(e.b, uint64(v.Len()))
		for i := 0; i < v.Len(); i++ {
			if err := e.value(d.elem, v.Index(i), path); err != nil {
				return err
			}
		}
	case tMap:
		keys := v.MapKeys()
		sort.Slice(keys, func(i, j int) bool { return keys[i].String() < keys[j].String() })
		e.b = putVarint(e.b, uint64(len(keys)))
		for _, k := range keys {
			e.b = putText(e.b, k.String())
			if err := e.value(d.elem, v.MapIndex(k), path); err != nil {
				return err
			}
		}
	case tOneof:
		which := v.Field(0).Field(0).Int()
		if which < 0 || which > int64(len(d.mem)) {
			return fail(Inval, "%s: there is no member %d", field(path), which)
		}
		if e.b = putVarint(e.b, uint64(which)); which > 0 {
			m := d.mem[which-1]
			return e.value(m.d, v.Field(m.index), path+"."+m.name)
		}
	}
	return nil
}

func (e *encoder) cText(d *desc, v reflect.Value, path string) error {
	if d.kind == tCstr && v.IsNil() {
		e.b = append(e.b, 0)
		return nil
	}
	extra := uint64(0)
	if d.kind == tCstr {
		v, extra = v.Elem(), 1
	} else if v.Len() >= d.size {
		return fail(Limit, "%s: %d bytes and a NUL do not fit into %d", field(path), v.Len(), d.size)
	}
	if strings.IndexByte(v.String(), 0) >= 0 {
		return fail(Inval, "%s: a NUL in a C string", field(path))
	}
	e.b = append(putVarint(e.b, uint64(v.Len())+extra), v.String()...)
	return nil
}

func (e *encoder) end(d *desc, v reflect.Value, path string) error {
	if !v.CanAddr() {
		w := reflect.New(v.Type()).Elem()
		w.Set(v)
		v = w
	}
	h := v.Addr().Interface().(anyEnd).get()
	if h == nil {
		e.b = append(e.b, 0)
		return nil
	}
	if e.s == nil {
		return fail(Inval, "%s: ends of channels cannot be in this value", field(path))
	}
	e.b = append(e.b, 1)
	if err := e.pass(d, h); err != nil {
		err.Detail = field(path) + ": " + err.Detail
		return err
	}
	return nil
}

func (e *encoder) number(v uint64, size int) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], v)
	e.b = append(e.b, b[:size]...)
}

func boolByte(b bool) byte {
	if b {
		return 1
	}
	return 0
}

func field(path string) string {
	if path == "" {
		return "the value"
	}
	return strings.TrimPrefix(path, ".")
}

// A decoder reads values.  Its memory is bounded by the bytes of the message.
type decoder struct {
	cursor
	s      *Peer // who sent it; nil: no ends may be there
	budget int
	deep   int
	handed []*handle // the ends that were made
}

// decode reads one value, all of b, into v.
func decode(d *desc, b []byte, s *Peer, v reflect.Value) error {
	r := &decoder{cursor: cursor{b: b}, s: s}
	r.budget = 4096 + max(64, d.ratio)*len(b)
	return r.finish(r.value(d, v, ""))
}

func (r *decoder) finish(err error) error {
	if err == nil && r.left() > 0 {
		err = fail(TypeErr, "%d bytes behind the value", r.left())
	}
	if err != nil {
		for _, h := range r.handed {
			h.letGo()
		}
	}
	return err
}

func (r *decoder) bad(path, format string, args ...any) error {
	return fail(TypeErr, "%s: %s", field(path), fmt.Sprintf(format, args...))
}

// failed turns what the cursor noticed into an error with the field's path.
func (r *decoder) failed(path string) error {
	if r.err != nil {
		return r.bad(path, "%v", r.err)
	}
	return nil
}

func (r *decoder) pay(n int, path string) error {
	if r.budget -= n; r.budget < 0 {
		return fail(Limit, "%s: the value takes more memory than its bytes pay for", field(path))
	}
	return nil
}

func (r *decoder) errorValue(x *ErrorValue, path string) error {
	for row := 1; r.err == nil; row++ {
		n := r.number(4)
		code, text := n&^errorMore, r.text(0, math.MaxInt)
		if code > 255 {
			code = uint64(Remote)
		}
		x.Code, x.Text = Code(code), string(text)
		if n&errorMore == 0 {
			return r.pay(len(text), path)
		}
		node, details := r.text(0, math.MaxInt), r.text(0, math.MaxInt)
		x.Node = string(node)
		if len(details) > 0 {
			x.Details = append([]byte(nil), details...)
		}
		if err := r.pay(len(text)+len(node)+len(details)+64, path); err != nil {
			return err
		}
		switch flag := r.u8(); {
		case r.err != nil:
			return nil
		case flag > 1 || flag == 0 && len(node)+len(details) == 0:
			return r.bad(path, "an error announces what it has not")
		case flag == 0:
			return nil
		case row == errorChain:
			return r.bad(path, "over 16 errors in a row")
		}
		x.Cause = new(ErrorValue)
		x = x.Cause
	}
	return nil
}

func (r *decoder) value(d *desc, v reflect.Value, path string) error {
	switch d.kind {
	case tBool:
		b := r.u8()
		if b > 1 {
			return r.bad(path, "a bool is 0 or 1")
		}
		v.SetBool(b == 1)
	case tInt, tEnum:
		size := d.size
		if d.kind == tEnum {
			size = 4
		}
		v.SetInt(int64(r.number(size)<<(64-8*size)) >> (64 - 8*size))
	case tUint:
		v.SetUint(r.number(d.size))
	case tFloat:
		if d.size == 4 {
			v.SetFloat(float64(math.Float32frombits(uint32(r.number(4)))))
		} else {
			v.SetFloat(math.Float64frombits(r.number(8)))
		}
	case tString, tBytes, tChars, tCstr:
		return r.bytes(d, v, path)
	case tDuration:
		v.SetInt(int64(r.number(8)))
	case tDate:
		s, ns, offset := int64(r.number(8)), r.number(4), int32(r.number(4))
		t := time.Unix(s, int64(ns)).UTC()
		if offset != 0 {
			t = t.In(time.FixedZone("", int(offset)))
		}
		v.Set(reflect.ValueOf(t))
	case tError:
		var x ErrorValue
		if err := r.errorValue(&x, path); err != nil {
			return err
		}
		v.Set(reflect.ValueOf(x))
	case tArray:
		for i := 0; i < d.size && r.err == nil; i++ {
			_ = r.value(d.elem, v.Index(i), path)
		}
	case tStruct:
		for _, m := range d.mem {
			if err := r.value(m.d, v.Field(m.index), path+"."+m.name); err != nil {
				return err
			}
		}
	case tTx, tRx:
		return r.end(d, v, path)
	default:
		if r.deep++; r.deep > valueDeep {
			return fail(Limit, "%s: more than %d values inside each other", field(path), valueDeep)
		}
		err := r.container(d, v, path)
		r.deep--
		return err
	}
	return r.failed(path)
}

func (r *decoder) bytes(d *desc, v reflect.Value, path string) error {
	var b []byte
	switch d.kind {
	case tCstr:
		n := r.varint()
		if n == 0 {
			return r.failed(path)
		}
		if n-1 > uint64(r.left()) {
			r.wrong(errShort)
		}
		b = r.take(int(n - 1))
	default:
		b = r.text(0, math.MaxInt)
	}
	if err := r.failed(path); err != nil {
		return err
	}
	if err := r.pay(len(b), path); err != nil {
		return err
	}
	if d.kind == tChars && len(b) >= d.size {
		return r.bad(path, "%d bytes and a NUL do not fit into %d", len(b), d.size)
	}
	if (d.kind == tChars || d.kind == tCstr) && strings.IndexByte(string(b), 0) >= 0 {
		return r.bad(path, "a NUL in a C string")
	}
	switch d.kind {
	case tBytes:
		if len(b) > 0 {
			v.SetBytes(append([]byte(nil), b...))
		}
	case tCstr:
		p := reflect.New(v.Type().Elem())
		p.Elem().SetString(string(b))
		v.Set(p)
	default:
		v.SetString(string(b))
	}
	return nil
}

func (r *decoder) container(d *desc, v reflect.Value, path string) error {
	switch d.kind {
	case tOptional:
		there := r.u8()
		if there > 1 {
			return r.bad(path, "an optional begins with 0 or 1")
		}
		if there == 1 {
			if err := r.pay(int(d.elem.rt.Size())+16, path); err != nil {
				return err
			}
			p := reflect.New(d.elem.rt)
			if err := r.value(d.elem, p.Elem(), path); err != nil {
				return err
			}
			if v.Type() != p.Type() {
				p = p.Convert(v.Type())
			}
			v.Set(p)
		}
	case tList:
		return r.list(d, v, path)
	case tMap:
		return r.mapOf(d, v, path)
	case tOneof:
		which := r.varint()
		if which > uint64(len(d.mem)) {
			return r.bad(path, "member %d of a oneof of %d", which, len(d.mem))
		}
		v.Field(0).Field(0).SetInt(int64(which))
		if which > 0 {
			m := d.mem[which-1]
			return r.value(m.d, v.Field(m.index), path+"."+m.name)
		}
	}
	return r.failed(path)
}

func (r *decoder) count(d *desc, least int, path string) (int, error) {
	n := r.varint()
	if r.err == nil && least > 0 && n > uint64(r.left()/least) {
		return 0, r.bad(path, "%d elements cannot be in %d bytes", n, r.left())
	}
	if n > 1<<31 {
		return 0, fail(Limit, "%s: %d elements", field(path), n)
	}
	return int(n), r.failed(path)
}

func (r *decoder) list(d *desc, v reflect.Value, path string) error {
	n, err := r.count(d, d.elem.min, path)
	if err != nil || n == 0 {
		return err
	}
	if err := r.pay(n*int(d.elem.rt.Size())+n, path); err != nil {
		return err
	}
	list := reflect.MakeSlice(v.Type(), n, n)
	for i := 0; i < n; i++ {
		if err := r.value(d.elem, list.Index(i), path); err != nil {
			return err
		}
	}
	v.Set(list)
	return nil
}

func (r *decoder) mapOf(d *desc, v reflect.Value, path string) error {
	n, err := r.count(d, d.elem.min+1, path)
	if err != nil || n == 0 {
		return err
	}
	made := reflect.MakeMap(v.Type())
	for i := 0; i < n; i++ {
		key := r.text(0, math.MaxInt)
		if err := r.pay(len(key)+int(d.elem.rt.Size())+16, path); err != nil {
			return err
		}
		x := reflect.New(d.elem.rt).Elem()
		if err := r.value(d.elem, x, path); err != nil {
			return err
		}
		made.SetMapIndex(reflect.ValueOf(string(key)).Convert(v.Type().Key()), x)
	}
	v.Set(made)
	return nil
}

func (r *decoder) end(d *desc, v reflect.Value, path string) error {
	there := r.u8()
	if there > 1 {
		return r.bad(path, "an end begins with 0 or 1")
	}
	if there == 0 || r.err != nil {
		return r.failed(path)
	}
	if r.s == nil {
		return r.bad(path, "ends of channels cannot be in this value")
	}
	h, err := r.accept(d)
	if err != nil {
		return r.bad(path, "%v", err)
	}
	r.handed = append(r.handed, h)
	v.Addr().Interface().(anyEnd).set(h)
	return nil
}
