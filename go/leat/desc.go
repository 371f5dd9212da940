package leat

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
)

// The kinds of types in a canonical form.
const (
	tBool = iota + 1
	tInt
	tUint
	tFloat
	tString
	tBytes
	tDate
	tDuration
	tError
	tStruct
	tEnum
	tOneof
	tOptional
	tList
	tArray
	tTx
	tRx
	tMap
	tCstr
	tChars
)

const (
	formMax, formDeep, valueDeep = 65536, 32, 1024
	nameMax                      = 255
)

// An ErrorValue is an error as a field of a value; Code is a number of Code. Node is where it happened, Details are the program's own, and
// Cause is what it was caused by, at most 16 in a row; a peer of version 1.1 is sent Code and Text alone. A *ErrorValue is an error, too:
// what a method or a task returns, or wraps, comes to its caller as the Value of an Error.
type ErrorValue struct {
	Code    Code
	Text    string
	Node    string
	Details []byte
	Cause   *ErrorValue
}

const (
	errorMore  = 1 << 31 // of the code on the wire: node, details and perhaps a cause follow
	errorChain = 16
)

// Oneof marks a struct as a choice: it is the embedded first field, and Which says which of the other fields counts, from 1; 0: none.
//
//	type Shape struct {
//		leat.Oneof
//		Circle Circle `leat:"circle"`
//		Square Square `leat:"square"`
//	}
type Oneof struct{ Which int }

// An EnumName is one of the names of an enum.
type EnumName struct {
	Name   string
	Number int32
}

// An Enum is a type over int32 whose numbers have names, in the order of its description.
type Enum interface{ LeatNames() []EnumName }

// A desc describes a Go type, or one that a peer has told of, which has no Go type.
type desc struct {
	kind  byte
	size  int // bytes of a number; elements of an array; room of chars
	elem  *desc
	mem   []member
	rt    reflect.Type
	min   int  // the least bytes of a value
	ends  bool // values may hold ends of channels
	ratio int  // memory for each byte of a message, where an honest value needs more than the common bound
	form  []byte
	print [16]byte
}

type member struct {
	name   string
	number int32 // the tag, or the number of an enum
	d      *desc
	index  int
}

var (
	describing   sync.Mutex
	described    = map[reflect.Type]*desc{}
	timeType     = reflect.TypeOf(time.Time{})
	durationType = reflect.TypeOf(time.Duration(0))
	errorType    = reflect.TypeOf(ErrorValue{})
	oneofType    = reflect.TypeOf(Oneof{})
	enumType     = reflect.TypeOf((*Enum)(nil)).Elem()
	endType      = reflect.TypeOf((*anyEnd)(nil)).Elem()
)

// An anyEnd is a *Tx[T] or a *Rx[T].
type anyEnd interface {
	element() reflect.Type
	receives() bool
	get() *handle
	set(*handle)
}

// Fingerprint gives the fingerprint of T's description: the same as that of an equal description in C.
func Fingerprint[T any]() ([16]byte, error) {
	d, err := describe(reflect.TypeOf((*T)(nil)).Elem())
	if err != nil {
		return [16]byte{}, err
	}
	return d.print, nil
}

// describe gives the description of a struct that travels: of channels, calls and tasks.
func describe(rt reflect.Type) (*desc, error) {
	describing.Lock()
	defer describing.Unlock()
	if d := described[rt]; d != nil {
		return d, nil
	}
	b := &builder{open: map[reflect.Type]int{}, done: map[reflect.Type]*desc{}}
	if rt.Kind() != reflect.Struct || rt == timeType || rt == errorType {
		return nil, fail(Inval, "%v: elements, arguments and results are structs", rt)
	}
	b.form = []byte{1}
	d, err := b.build(rt, "", rt.Name())
	if err != nil {
		return nil, err
	}
	if len(b.form) > formMax {
		return nil, fail(Limit, "%v: its form has more than %d bytes", rt, formMax)
	}
	settle(b.done)
	d.form, d.print = b.form, fingerprint(b.form)
	described[rt] = d
	return d, nil
}

// A builder writes the form of a type beside its description.
type builder struct {
	form []byte
	deep int
	defs []reflect.Type       // the structs and oneofs around this place
	open map[reflect.Type]int // where they stand in defs, from 1
	done map[reflect.Type]*desc
}

func (b *builder) build(rt reflect.Type, opts, path string) (*desc, error) {
	if b.deep++; b.deep > formDeep {
		return nil, fail(Limit, "%s: more than %d types inside each other", path, formDeep)
	}
	defer func() { b.deep-- }()
	if len(b.form) > formMax {
		return nil, fail(Limit, "%s: a form of more than %d bytes", path, formMax)
	}
	if d, err := b.special(rt, opts, path); d != nil || err != nil {
		return d, err
	}
	simple := func(kind byte, size int) (*desc, error) {
		b.form = append(b.form, kind)
		min := size
		if kind >= tInt && kind <= tFloat {
			b.form = append(b.form, byte(size))
		}
		if size == 0 {
			min = 1
		}
		return &desc{kind: kind, size: size, rt: rt, min: min}, nil
	}
	switch rt.Kind() {
	case reflect.Bool:
		return simple(tBool, 0)
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Int:
		return simple(tInt, int(rt.Size()))
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uint:
		return simple(tUint, int(rt.Size()))
	case reflect.Float32, reflect.Float64:
		return simple(tFloat, int(rt.Size()))
	case reflect.String:
		return simple(tString, 0)
	case reflect.Slice:
		if rt.Elem().Kind() == reflect.Uint8 {
			return simple(tBytes, 0)
		}
		return b.inner(tList, rt, rt.Elem(), path)
	case reflect.Map:
		if rt.Key().Kind() == reflect.String {
			return b.inner(tMap, rt, rt.Elem(), path)
		}
		return nil, fail(Inval, "%s: the keys of a map are strings, not %v", path, rt.Key())
	case reflect.Pointer:
		return b.inner(tOptional, rt, rt.Elem(), path)
	case reflect.Array:
		return b.array(rt, path)
	case reflect.Struct:
		return b.definition(rt, path)
	}
	return nil, fail(Inval, "%s: a %v cannot travel", path, rt)
}

// special is of types that are more than their reflect.Kind, and of what a field's tag asks for.
func (b *builder) special(rt reflect.Type, opts, path string) (*desc, error) {
	name, value, _ := strings.Cut(opts, "=")
	switch {
	case name == "cstr" && rt.Kind() == reflect.Pointer && rt.Elem().Kind() == reflect.String:
		b.form = append(b.form, tCstr)
		return &desc{kind: tCstr, rt: rt, min: 1}, nil
	case name == "chars" && rt.Kind() == reflect.String:
		room, err := strconv.Atoi(value)
		if err != nil || room < 1 {
			return nil, fail(Inval, "%s: chars=%s: the room is a number over 0", path, value)
		}
		b.form = putVarint(append(b.form, tChars), uint64(room))
		return &desc{kind: tChars, size: room, rt: rt, min: 1, ratio: 1}, nil
	case opts != "":
		return nil, fail(Inval, "%s: the tag's %q does not suit a %v", path, opts, rt)
	case rt == timeType:
		b.form = append(b.form, tDate)
		return &desc{kind: tDate, rt: rt, min: 16}, nil
	case rt == durationType:
		b.form = append(b.form, tDuration)
		return &desc{kind: tDuration, rt: rt, min: 8}, nil
	case rt == errorType:
		b.form = append(b.form, tError)
		return &desc{kind: tError, rt: rt, min: 5}, nil
	case reflect.PointerTo(rt).Implements(endType):
		end := reflect.New(rt).Interface().(anyEnd)
		kind := byte(tTx)
		if end.receives() {
			kind = tRx
		}
		d, err := b.inner(kind, rt, end.element(), path)
		if err == nil {
			err = b.endsCarryStructs(d.elem, path)
		}
		return d, err
	case rt.Kind() == reflect.Int32 && rt.Implements(enumType):
		return b.enum(rt, path)
	}
	return nil, nil
}

func (b *builder) endsCarryStructs(d *desc, path string) error {
	if d.kind != tStruct {
		return fail(Inval, "%s: a channel carries structs, not %v", path, d.rt)
	}
	return nil
}

func (b *builder) inner(kind byte, rt, elem reflect.Type, path string) (*desc, error) {
	b.form = append(b.form, kind)
	e, err := b.build(elem, "", path)
	if err != nil {
		return nil, err
	}
	return &desc{kind: kind, elem: e, rt: rt, min: 1}, nil
}

func (b *builder) array(rt reflect.Type, path string) (*desc, error) {
	if rt.Len() == 0 {
		return nil, fail(Inval, "%s: an array of no elements", path)
	}
	b.form = putVarint(append(b.form, tArray), uint64(rt.Len()))
	e, err := b.build(rt.Elem(), "", path)
	if err != nil {
		return nil, err
	}
	if e.kind < tInt || e.kind > tFloat {
		return nil, fail(Inval, "%s: arrays are of numbers, not of %v", path, rt.Elem())
	}
	return &desc{kind: tArray, size: rt.Len(), elem: e, rt: rt, min: rt.Len() * e.size}, nil
}

func (b *builder) enum(rt reflect.Type, path string) (*desc, error) {
	names := reflect.Zero(rt).Interface().(Enum).LeatNames()
	b.form = putVarint(append(b.form, tEnum, 0), uint64(len(names)))
	for _, n := range names {
		if n.Name == "" || len(n.Name) > nameMax {
			return nil, fail(Inval, "%s: a name of 1 to %d bytes, not %q", path, nameMax, n.Name)
		}
		b.form = putVarint(putText(b.form, n.Name), zigzag(n.Number))
	}
	return &desc{kind: tEnum, rt: rt, min: 4}, nil
}

func (b *builder) definition(rt reflect.Type, path string) (*desc, error) {
	d := &desc{kind: tStruct, rt: rt}
	first := 0
	if rt.NumField() > 0 && rt.Field(0).Type == oneofType && rt.Field(0).Anonymous {
		d.kind, first = tOneof, 1
	}
	if at := b.open[rt]; at > 0 {
		b.form = putVarint(append(b.form, d.kind), uint64(len(b.defs)-at+1))
		return b.done[rt], nil
	}
	if old := b.done[rt]; old != nil {
		d = old // a second time: the form is written again, the description is the same
		d.mem = nil
	}
	b.done[rt] = d
	b.defs = append(b.defs, rt)
	b.open[rt] = len(b.defs)
	var fields []member
	for i := first; i < rt.NumField(); i++ {
		if m, ok, err := fieldOf(rt.Field(i), path); err != nil {
			return nil, err
		} else if ok {
			m.index = i
			fields = append(fields, m)
		}
	}
	b.form = putVarint(append(b.form, d.kind, 0), uint64(len(fields)))
	for i, m := range fields {
		b.form = putVarint(putText(b.form, m.name), zigzag(m.number))
		f := rt.Field(m.index)
		_, opts, _ := splitTag(f)
		sub, err := b.build(f.Type, opts, path+"."+m.name)
		if err != nil {
			return nil, err
		}
		fields[i].d = sub
	}
	d.mem = fields
	delete(b.open, rt)
	b.defs = b.defs[:len(b.defs)-1]
	return d, nil
}

// snake is the name of a field without a tag, as C has it: TakenNs is taken_ns.
func snake(name string) string {
	var b strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) && i > 0 && (i+1 < len(name) && unicode.IsLower(rune(name[i+1])) || unicode.IsLower(rune(name[i-1]))) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// splitTag reads `leat:"name,tag=3,chars=16"`: the name, what the kind needs, and the tag.
func splitTag(f reflect.StructField) (name, opts string, tag int32) {
	parts := strings.Split(f.Tag.Get("leat"), ",")
	if name = parts[0]; name == "" {
		name = snake(f.Name)
	}
	for _, p := range parts[1:] {
		if strings.HasPrefix(p, "tag=") {
			n, _ := strconv.ParseInt(p[4:], 10, 32)
			tag = int32(n)
		} else {
			opts = p
		}
	}
	return name, opts, tag
}

func fieldOf(f reflect.StructField, path string) (member, bool, error) {
	name, _, tag := splitTag(f)
	if !f.IsExported() || name == "-" {
		return member{}, false, nil
	}
	if len(name) > nameMax {
		return member{}, false, fail(Inval, "%s.%s: a name has at most %d bytes", path, name, nameMax)
	}
	return member{name: name, number: tag}, true, nil
}

// settle computes what depends on the parts: the least size of a value, whether it may hold ends, and what memory a byte may pay for.
func settle(defs map[reflect.Type]*desc) {
	for again := true; again; {
		again = false
		for _, d := range defs {
			min, ends, ratio := 0, d.ends, d.ratio
			for _, m := range d.mem {
				flat(m.d)
				min += m.d.min
				ends = ends || m.d.ends
				if m.d.ratio > ratio {
					ratio = m.d.ratio
				}
			}
			if d.kind == tOneof {
				min = 1
			}
			if r := (int(d.rt.Size()) + 16) / max(min, 1); r > ratio {
				ratio = r
			}
			if min > 1<<20 {
				min = 1 << 20
			}
			if min != d.min || ends != d.ends || ratio != d.ratio {
				d.min, d.ends, d.ratio = min, ends, ratio
				again = true
			}
		}
	}
}

// flat takes from an inner type what its container has of it.
func flat(d *desc) {
	if d.elem == nil {
		return
	}
	flat(d.elem)
	if d.elem.ends || d.kind == tTx || d.kind == tRx {
		d.ends = true
	}
	if d.elem.ratio > d.ratio && d.kind != tTx && d.kind != tRx {
		d.ratio = d.elem.ratio
	}
}

func max(a, b int) int {
	if a > b {
		return a
	}
	return b
}

var errForm = errors.New("not a description")

// readForm reads the canonical form of a peer, to say where it differs.
func readForm(b []byte) (*desc, error) {
	if len(b) > formMax {
		return nil, errForm
	}
	c := &cursor{b: b}
	if c.u8() != 1 {
		return nil, errForm
	}
	d := readType(c, nil, 1)
	if c.err != nil || c.left() > 0 || d == nil || leastOf(d, map[*desc]int{}) < 0 {
		return nil, errForm
	}
	d.form, d.print = append([]byte(nil), b...), fingerprint(b)
	return d, nil
}

func readType(c *cursor, around []*desc, deep int) *desc {
	d := &desc{kind: c.u8()}
	if deep > formDeep || c.err != nil {
		c.wrong(errForm)
		return nil
	}
	switch d.kind {
	case tBool, tString, tBytes, tDate, tDuration, tError, tCstr:
	case tInt, tUint, tFloat:
		d.size = int(c.u8())
		if d.size != 1 && d.size != 2 && d.size != 4 && d.size != 8 || d.kind == tFloat && d.size < 4 {
			c.wrong(errForm)
		}
	case tOptional, tList, tTx, tRx, tMap:
		d.elem = readType(c, around, deep+1)
	case tArray:
		d.size = int(c.varint() & (1<<62 - 1))
		d.elem = readType(c, around, deep+1)
		if d.size == 0 || d.elem == nil || d.elem.kind < tInt || d.elem.kind > tFloat {
			c.wrong(errForm)
		}
	case tChars:
		if d.size = int(c.varint() & (1<<62 - 1)); d.size == 0 {
			c.wrong(errForm)
		}
	case tStruct, tOneof, tEnum:
		return readDefinition(c, d, around, deep)
	default:
		c.wrong(errForm)
	}
	return d
}

func readDefinition(c *cursor, d *desc, around []*desc, deep int) *desc {
	if up := c.varint(); up > 0 {
		if d.kind == tEnum || up > uint64(len(around)) || around[len(around)-int(up)].kind != d.kind {
			c.wrong(errForm)
			return nil
		}
		return around[len(around)-int(up)]
	}
	n := c.varint()
	if n > uint64(c.left()) {
		c.wrong(errForm)
	}
	for ; n > 0 && c.err == nil; n-- {
		m := member{name: string(c.text(1, nameMax))}
		z := c.varint()
		if z > 1<<32-1 {
			c.wrong(errForm)
		}
		m.number = int32(uint32(z)>>1) ^ -int32(z&1)
		if d.kind != tEnum {
			m.d = readType(c, append(around, d), deep+1)
		}
		d.mem = append(d.mem, m)
	}
	return d
}

func (d *desc) words() string {
	names := [...]string{"nothing", "bool", "int", "uint", "float", "string", "bytes", "date", "duration", "error", "struct", "enum", "oneof",
		"optional", "list", "array", "tx", "rx", "map", "cstr", "chars"}
	switch d.kind {
	case tInt, tUint, tFloat:
		return fmt.Sprintf("%s%d", names[d.kind], 8*d.size)
	case tArray, tChars:
		return fmt.Sprintf("%s of %d", names[d.kind], d.size)
	}
	return names[d.kind]
}
