package leat

import (
	"fmt"
	"math"
	"reflect"
	"strings"
)

// Reading a value by the form of its writer, field by field, by their names: docs/semantics.md, "Types that change", says which changes
// that bridges.  A desc of a form has no Go type; ours has one.

const formSent = 32768 // a longer form goes before the frame that it belongs to, from version 1.3 on

// leastOf computes the least size of a value of a form; below 0: a value would be inside itself without end.
func leastOf(d *desc, on map[*desc]int) int {
	if n, seen := on[d]; seen {
		return n
	}
	on[d] = -1
	n := 1
	switch d.kind {
	case tInt, tUint, tFloat:
		n = d.size
	case tEnum:
		n = 4
	case tDate:
		n = 16
	case tDuration:
		n = 8
	case tError:
		n = 5
	case tArray:
		n = 1 << 20
		if d.size < n/8 {
			n = d.size * d.elem.size
		}
	case tStruct:
		n = 0
		for _, m := range d.mem {
			k := leastOf(m.d, on)
			if k < 0 {
				return -1
			}
			if n += k; n > 1<<20 {
				n = 1 << 20
			}
		}
	}
	on[d], d.min = n, n
	inner := d.mem
	if d.elem != nil {
		inner = []member{{d: d.elem}}
	}
	for _, m := range inner {
		if m.d != nil && d.kind != tStruct && leastOf(m.d, on) < 0 {
			if m.d.kind == tStruct && on[m.d] == -1 {
				continue // it is around this place: an optional, list, map or oneof ends it
			}
			return -1
		}
	}
	return n
}

// formOf writes the form of a type that stands by itself, from its parts.
func formOf(d *desc, b []byte, around []*desc) []byte {
	if len(b) > formMax {
		return b // too long, whatever follows
	}
	b = append(b, d.kind)
	switch d.kind {
	case tInt, tUint, tFloat:
		return append(b, byte(d.size))
	case tChars:
		return putVarint(b, uint64(d.size))
	case tArray:
		return formOf(d.elem, putVarint(b, uint64(d.size)), around)
	case tOptional, tList, tMap, tTx, tRx:
		return formOf(d.elem, b, around)
	case tStruct, tOneof, tEnum:
		for i, x := range around {
			if x == d {
				return putVarint(b, uint64(len(around)-i))
			}
		}
		b = putVarint(append(b, 0), uint64(len(d.mem)))
		for _, m := range d.mem {
			b = putVarint(putText(b, m.name), zigzag(m.number))
			if m.d != nil && len(around) < formDeep {
				b = formOf(m.d, b, append(around[:len(around):len(around)], d))
			}
		}
	}
	return b
}

// standalone gives a type of a form as one that stands by itself: with form and fingerprint.
func standalone(d *desc) *desc {
	if d.form == nil {
		d.form = formOf(d, []byte{1}, nil)
		d.print = fingerprint(d.form)
	}
	return d
}

type pairOfTypes struct{ w, r *desc }

// fits says why a reader of type r cannot read what a writer of type w writes; "" is that it can.
func fits(w, r *desc) string { return (&fitter{seen: map[pairOfTypes]bool{}}).fit(w, r, "") }

type fitter struct{ seen map[pairOfTypes]bool }

func (x *fitter) fit(w, r *desc, path string) string {
	if x.seen[pairOfTypes{w, r}] {
		return ""
	}
	x.seen[pairOfTypes{w, r}] = true
	switch {
	case r.kind == tOptional && w.kind == tStruct:
		return x.fit(w, r.elem, path)
	case w.kind == tOptional && r.kind == tStruct:
		return x.fit(w.elem, r, path)
	case w.kind >= tInt && w.kind <= tFloat && (r.kind == w.kind && r.size >= w.size || w.kind == tUint && r.kind == tInt && r.size > w.size):
		return ""
	case w.kind == tString && r.kind == tBytes, w.kind == tChars && (r.kind == tString || r.kind == tBytes),
		w.kind == tCstr && r.kind == tString:
		return ""
	case w.kind != r.kind || (w.kind == tArray || w.kind == tChars) && w.size > r.size || w.kind >= tInt && w.kind <= tFloat:
		return fmt.Sprintf("%s: %s is written, %s is read", field(path), w.words(), r.words())
	}
	switch w.kind {
	case tTx: // who reads it sends
		return x.fit(r.elem, w.elem, path)
	case tRx, tList, tMap, tOptional, tArray:
		return x.fit(w.elem, r.elem, path)
	case tEnum:
		for _, a := range namesOf(w) {
			for _, b := range namesOf(r) {
				if a.name == b.name && a.number != b.number {
					return fmt.Sprintf("%s: %s is %d and %d", field(path), a.name, a.number, b.number)
				}
			}
		}
	case tStruct, tOneof:
		return x.fitMembers(w, r, path)
	}
	return ""
}

func namesOf(d *desc) []member {
	if d.rt == nil {
		return d.mem
	}
	var list []member
	for _, n := range reflect.Zero(d.rt).Interface().(Enum).LeatNames() {
		list = append(list, member{name: n.Name, number: n.Number})
	}
	return list
}

func (x *fitter) fitMembers(w, r *desc, path string) string {
	taken := map[int]string{}
	for _, m := range r.mem {
		at := counterpart(w, m)
		if at < 0 {
			continue
		}
		if other := taken[at]; other != "" {
			return fmt.Sprintf("%s: it would be %s and %s", field(path+"."+w.mem[at].name), other, m.name)
		}
		taken[at] = m.name
		if why := x.fit(w.mem[at].d, m.d, path+"."+m.name); why != "" {
			return why
		}
	}
	return ""
}

// counterpart finds the member of w that is m: by its tag if both have one, else by its name; -1: there is none.
func counterpart(w *desc, m member) int {
	for i, o := range w.mem {
		if m.number != 0 && o.number == m.number {
			return i
		}
	}
	for i, o := range w.mem {
		if o.name == m.name && (m.number == 0 || o.number == 0) {
			return i
		}
	}
	return -1
}

// A bridge is how values of another type are read: the form of who writes them, and what memory their bytes may need.
type bridge struct {
	w     *desc
	ratio int
}

// bridgeTo reads a peer's form, for values that are to be read as d; nil: they are of the same type.
func bridgeTo(form []byte, d *desc) (*bridge, *Error) {
	w, err := readForm(form)
	if err != nil {
		return nil, fail(TypeErr, "what the peer calls its type is none")
	}
	return bridgeOf(w, d)
}

func bridgeOf(w, d *desc) (*bridge, *Error) {
	if w.print == d.print {
		return nil, nil
	}
	if why := fits(w, d); why != "" {
		return nil, fail(TypeErr, "%s", why)
	}
	b := &bridge{w: w, ratio: d.ratio}
	b.measure(w, d, map[pairOfTypes]bool{})
	return b, nil
}

// measure finds what a byte of the writer's may need of memory: where its structs are smaller than ours.
func (b *bridge) measure(w, d *desc, seen map[pairOfTypes]bool) {
	if seen[pairOfTypes{w, d}] {
		return
	}
	seen[pairOfTypes{w, d}] = true
	if k := (int(d.rt.Size()) + 32) / max(w.min, 1); k > b.ratio {
		b.ratio = k
	}
	switch {
	case d.kind == tOptional && w.kind == tStruct:
		b.measure(w, d.elem, seen)
	case w.kind == tOptional && d.kind == tStruct:
		b.measure(w.elem, d, seen)
	case w.kind == tOptional || w.kind == tList || w.kind == tMap:
		b.measure(w.elem, d.elem, seen)
	}
	for _, m := range d.mem {
		if d.kind != w.kind {
			break
		}
		if i := counterpart(w, m); i >= 0 && m.d != nil {
			b.measure(w.mem[i].d, m.d, seen)
		}
	}
}

// decodeAs reads one value as decode does; by nil: it is of our own type.
func decodeAs(by *bridge, d *desc, b []byte, s *Peer, v reflect.Value) error {
	if by == nil {
		return decode(d, b, s, v)
	}
	r := &decoder{cursor: cursor{b: b}, s: s}
	r.budget = 4096 + max(64, by.ratio)*len(b)
	return r.finish(r.cross(by.w, d, v, ""))
}

// -- reading -----------------------------------------------------------------------------------------------------------------------

// cross reads a value that was written as w into v, which is of type d.
func (r *decoder) cross(w, d *desc, v reflect.Value, path string) error {
	if r.deep++; r.deep > valueDeep {
		return fail(Limit, "%s: more than %d values inside each other", field(path), valueDeep)
	}
	defer func() { r.deep-- }()
	switch {
	case d.kind == tOptional && w.kind == tStruct:
		if err := r.pay(int(d.elem.rt.Size())+16, path); err != nil {
			return err
		}
		p := reflect.New(d.elem.rt)
		v.Set(p.Convert(v.Type()))
		return r.cross(w, d.elem, p.Elem(), path)
	case w.kind == tOptional:
		there := r.u8()
		if there > 1 {
			return r.bad(path, "an optional begins with 0 or 1")
		}
		if there == 0 || r.err != nil {
			return r.failed(path)
		}
		if d.kind != tOptional {
			return r.cross(w.elem, d, v, path)
		}
		return r.cross(w.elem, &desc{kind: tOptional, elem: d.elem, rt: d.rt}, v, path)
	}
	switch w.kind {
	case tInt, tUint, tFloat:
		r.crossNumber(w, d, v)
		return r.failed(path)
	case tString, tBytes, tChars, tCstr:
		return r.crossText(w, d, v, path)
	case tStruct:
		return r.crossStruct(w, d, v, path)
	case tOneof:
		return r.crossOneof(w, d, v, path)
	case tList, tMap:
		return r.crossMany(w, d, v, path)
	case tArray:
		for i := 0; i < w.size && r.err == nil; i++ {
			r.crossNumber(w.elem, d.elem, v.Index(i))
		}
		return r.failed(path)
	case tTx, tRx:
		return r.crossEnd(w, d, v, path)
	}
	return r.value(d, v, path) // bool, date, duration, error, enum: there is one form of each
}

func (r *decoder) crossNumber(w, d *desc, v reflect.Value) {
	n := r.number(w.size)
	switch {
	case w.kind == tFloat && w.size == 4:
		v.SetFloat(float64(math.Float32frombits(uint32(n))))
	case w.kind == tFloat:
		v.SetFloat(math.Float64frombits(n))
	case w.kind == tInt:
		v.SetInt(int64(n<<(64-8*w.size)) >> (64 - 8*w.size))
	case d.kind == tUint:
		v.SetUint(n)
	default:
		v.SetInt(int64(n))
	}
}

func (r *decoder) crossText(w, d *desc, v reflect.Value, path string) error {
	if w.kind == tCstr && d.kind == tString {
		var p *string
		at := reflect.ValueOf(&p).Elem()
		if err := r.bytes(w, at, path); err != nil || p == nil {
			return err
		}
		v.SetString(*p)
		return nil
	}
	if w.kind == tChars && d.kind != tChars {
		at := r.at
		if b := r.text(0, w.size-1); strings.IndexByte(string(b), 0) >= 0 {
			return r.bad(path, "a NUL in a C string")
		}
		if r.err == nil {
			r.at = at
		}
	}
	return r.bytes(d, v, path)
}

func (r *decoder) crossStruct(w, d *desc, v reflect.Value, path string) error {
	for i, m := range w.mem {
		into := -1
		for k, o := range d.mem {
			if counterpart(w, o) == i {
				into = k
			}
		}
		var err error
		if into < 0 {
			err = r.skip(m.d, path+"."+m.name)
		} else {
			o := d.mem[into]
			err = r.cross(m.d, o.d, v.Field(o.index), path+"."+o.name)
		}
		if err != nil {
			return err
		}
	}
	return r.failed(path)
}

func (r *decoder) crossOneof(w, d *desc, v reflect.Value, path string) error {
	which := r.varint()
	if which > uint64(len(w.mem)) {
		return r.bad(path, "member %d of a oneof of %d", which, len(w.mem))
	}
	if which == 0 || r.err != nil {
		return r.failed(path)
	}
	m := w.mem[which-1]
	for k, o := range d.mem {
		if counterpart(w, o) == int(which-1) {
			v.Field(0).Field(0).SetInt(int64(k + 1))
			return r.cross(m.d, o.d, v.Field(o.index), path+"."+o.name)
		}
	}
	return r.skip(m.d, path+"."+m.name)
}

func (r *decoder) crossMany(w, d *desc, v reflect.Value, path string) error {
	least, size := w.elem.min, int(d.elem.rt.Size())+1
	if w.kind == tMap {
		least, size = least+1, size+16
	}
	n, err := r.count(w, least, path)
	if err != nil || n == 0 {
		return err
	}
	if w.kind == tMap {
		v.Set(reflect.MakeMap(v.Type()))
	}
	for i := 0; i < n; i++ {
		var key []byte
		if w.kind == tMap {
			key = r.text(0, math.MaxInt)
		}
		if err := r.pay(size+len(key), path); err != nil {
			return err
		}
		x := reflect.New(d.elem.rt).Elem()
		if err := r.cross(w.elem, d.elem, x, path); err != nil {
			return err
		}
		if w.kind == tMap {
			v.SetMapIndex(reflect.ValueOf(string(key)).Convert(v.Type().Key()), x)
		} else {
			v.Set(reflect.Append(v, x))
		}
	}
	return nil
}

func (r *decoder) crossEnd(w, d *desc, v reflect.Value, path string) error {
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
	h, err := r.acceptAs(w, d)
	if err != nil {
		return r.bad(path, "%v", err)
	}
	r.handed = append(r.handed, h)
	v.Addr().Interface().(anyEnd).set(h)
	return nil
}

// skip passes over a value that nobody here wants; an end in it is let go of.
func (r *decoder) skip(w *desc, path string) error {
	if r.deep++; r.deep > valueDeep {
		return fail(Limit, "%s: more than %d values inside each other", field(path), valueDeep)
	}
	defer func() { r.deep-- }()
	switch w.kind {
	case tInt, tUint, tFloat:
		r.take(w.size)
	case tBool:
		r.take(1)
	case tEnum:
		r.take(4)
	case tDuration:
		r.take(8)
	case tDate:
		r.take(16)
	case tError:
		if err := r.errorValue(new(ErrorValue), path); err != nil {
			return err
		}
	case tString, tBytes, tChars:
		r.text(0, math.MaxInt)
	case tCstr:
		if n := r.varint(); n > 0 && n-1 <= uint64(r.left()) {
			r.take(int(n - 1))
		} else if n > 0 {
			r.wrong(errShort)
		}
	case tArray:
		if w.size > r.left() {
			r.wrong(errShort)
		}
		r.take(w.size * w.elem.size)
	case tTx, tRx:
		return r.skipEnd(w, path)
	default:
		return r.skipInner(w, path)
	}
	return r.failed(path)
}

func (r *decoder) skipEnd(w *desc, path string) error {
	there := r.u8()
	switch {
	case there > 1:
		return r.bad(path, "an end begins with 0 or 1")
	case there == 0 || r.err != nil:
		return r.failed(path)
	case r.s == nil:
		return r.bad(path, "ends of channels cannot be in this value")
	}
	h, err := r.acceptAs(w, nil)
	if err != nil {
		return r.bad(path, "%v", err)
	}
	h.letGo()
	return nil
}

func (r *decoder) skipInner(w *desc, path string) error {
	n := 1
	switch w.kind {
	case tStruct:
		for _, m := range w.mem {
			if err := r.skip(m.d, path+"."+m.name); err != nil {
				return err
			}
		}
		return r.failed(path)
	case tOneof:
		which := r.varint()
		if which > uint64(len(w.mem)) {
			return r.bad(path, "member %d of a oneof of %d", which, len(w.mem))
		}
		if which == 0 || r.err != nil {
			return r.failed(path)
		}
		return r.skip(w.mem[which-1].d, path)
	case tOptional:
		n = int(r.u8())
		if n > 1 {
			return r.bad(path, "an optional begins with 0 or 1")
		}
	default:
		var err error
		if n, err = r.count(w, w.elem.min, path); err != nil {
			return err
		}
	}
	for i := 0; i < n && r.err == nil; i++ {
		if w.kind == tMap {
			r.text(0, math.MaxInt)
		}
		if err := r.pay(1, path); err != nil {
			return err
		}
		if err := r.skip(w.elem, path); err != nil {
			return err
		}
	}
	return r.failed(path)
}
