// Types made up at random, as reflect can make them, and those that it cannot: with names, with methods, inside themselves.
package main

import (
	"encoding/gob"
	"errors"
	"fmt"
	"math/big"
	"math/rand"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"time"
)

type Node struct {
	Name  string
	Kids  []Node
	Right *Node
	Named map[string]Node
	Last  uint16
}

type Even struct {
	Odds  []Odd
	Tens  *Odd
	Which Hue
}

type Odd struct {
	Evens map[string]Even
	N     int32
}

type Selves []Selves
type Web map[string]Web
type Hue int32
type Words []string
type Octets []Octet
type Octet byte
type Counts map[string]int
type Fault struct {
	Code int32
	Text string
}
type Two struct{ A, B Fault }
type Within struct {
	Fault
	*Node
	More int
}

// Sealed goes by its own method, of the value; its first byte is one that no big.Int has.
type Sealed struct{ a, b int }

func (s Sealed) GobEncode() ([]byte, error) { return []byte{9, byte(s.a), byte(s.b)}, nil }
func (s *Sealed) GobDecode(p []byte) error {
	if len(p) != 3 || p[0] != 9 {
		return errors.New("gob: no Sealed")
	}
	s.a, s.b = int(p[1]), int(p[2])
	return nil
}

// Packed goes by its own method, of the pointer.
type Packed struct{ text string }

func (p *Packed) MarshalBinary() ([]byte, error) { return append([]byte{7}, p.text...), nil }
func (p *Packed) UnmarshalBinary(b []byte) error {
	if len(b) == 0 || b[0] != 7 {
		return errors.New("gob: no Packed")
	}
	p.text = string(b[1:])
	return nil
}

func of(v interface{}) reflect.Type { return reflect.TypeOf(v).Elem() }

var (
	timeType     = of((*time.Time)(nil))
	durationType = of((*time.Duration)(nil))
	bigType      = of((*big.Int)(nil))
	anyType      = of((*interface{})(nil))
	hueType      = of((*Hue)(nil))
	faultType    = of((*Fault)(nil))
	numbers      = []interface{}{int(0), int8(0), int16(0), int32(0), int64(0), uint(0), uint8(0), uint16(0), uint32(0), uint64(0),
		float32(0), float64(0)}
	plain = []interface{}{false, "", []byte(nil), time.Time{}, time.Duration(0), Hue(0), Fault{}}
	// what only a reader without types has to do with
	wild = []interface{}{uintptr(0), complex64(0), complex128(0), big.Int{}, (*big.Int)(nil), Sealed{}, (*Sealed)(nil), Packed{},
		(*Packed)(nil), netip.Addr{}, url.URL{}, Words(nil), Octets(nil), Counts(nil), Selves(nil), Web(nil), Within{}, [4]byte{}, (*int)(nil),
		(**string)(nil), (*[]int)(nil), (*time.Time)(nil), [0]int{}, []Octet(nil), []interface{}(nil), struct{ A, B struct{ C int } }{}}
	recursive = []interface{}{Node{}, Even{}, Odd{}}
)

// types makes them up: with `typed`, such as leat can describe.
type types struct {
	r          *rand.Rand
	typed      bool
	registered []reflect.Type // what an interface may hold
}

func pick(r *rand.Rand, from []interface{}) reflect.Type {
	return reflect.TypeOf(from[r.Intn(len(from))])
}

func (g *types) basic() reflect.Type {
	switch k := g.r.Intn(10); {
	case k < 5:
		return pick(g.r, numbers)
	case k < 8 || g.typed:
		return pick(g.r, plain)
	}
	return pick(g.r, wild)
}

func (g *types) key() reflect.Type {
	if g.r.Intn(2) == 0 {
		return reflect.TypeOf("")
	}
	keys := []interface{}{int(0), int16(0), uint8(0), uint64(0), "", float64(0), false}
	if !g.typed {
		keys = append(keys, [2]int{}, struct{ A, B int }{}, time.Time{}, Hue(0), netip.Addr{}, complex128(0))
	}
	return pick(g.r, keys)
}

func (g *types) any(deep int) reflect.Type {
	if deep == 0 {
		return g.basic()
	}
	switch g.r.Intn(12) {
	case 0, 1, 2:
		return g.structure(deep - 1)
	case 3:
		return reflect.SliceOf(g.any(deep - 1))
	case 4:
		return reflect.MapOf(g.key(), g.any(deep-1))
	case 5:
		if g.typed {
			return reflect.ArrayOf(1+g.r.Intn(5), pick(g.r, numbers))
		}
		return reflect.ArrayOf(g.r.Intn(4), g.any(deep-1))
	case 6:
		if g.typed {
			return reflect.PtrTo(g.structure(deep - 1))
		}
		return reflect.PtrTo(g.any(deep - 1))
	case 7:
		if !g.typed {
			return anyType
		}
	case 8:
		return pick(g.r, recursive)
	}
	return g.basic()
}

var names = []string{"A", "B", "C", "D", "Kind", "Name", "Value", "X1", "URL", "LongNameOfAField"}
var wildNames = []string{"Äpfel", "Ω", "Éa", "Under_score"}

func (g *types) structure(deep int) reflect.Type {
	n := 1 + g.r.Intn(5)
	fields := []reflect.StructField{}
	used := map[string]bool{}
	for i := 0; i < n; i++ {
		name := names[g.r.Intn(len(names))]
		if !g.typed && g.r.Intn(12) == 0 {
			name = wildNames[g.r.Intn(len(wildNames))]
		}
		if !used[name] {
			used[name] = true
			fields = append(fields, reflect.StructField{Name: name, Type: g.any(deep)})
		}
	}
	return reflect.StructOf(fields)
}

// later is what became of t at the receiver: fields are gone, new, in another order, of another type.
func (g *types) later(t reflect.Type) reflect.Type {
	r := g.r
	switch t.Kind() {
	case reflect.Struct:
		if t.Name() != "" {
			return t
		}
		fields := []reflect.StructField{}
		for i := 0; i < t.NumField(); i++ {
			f := t.Field(i)
			if r.Intn(8) > 0 {
				fields = append(fields, reflect.StructField{Name: f.Name, Type: g.later(f.Type)})
			}
		}
		r.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
		if name := names[r.Intn(len(names))]; r.Intn(3) == 0 || len(fields) == 0 {
			for i, f := range fields {
				if f.Name == name {
					fields = append(fields[:i], fields[i+1:]...)
					break
				}
			}
			fields = append(fields, reflect.StructField{Name: name, Type: g.any(1)})
		}
		return reflect.StructOf(fields)
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return t
		}
		return reflect.SliceOf(g.later(t.Elem()))
	case reflect.Map:
		return reflect.MapOf(t.Key(), g.later(t.Elem()))
	case reflect.Ptr:
		if r.Intn(4) == 0 {
			return g.later(t.Elem())
		}
		return reflect.PtrTo(g.later(t.Elem()))
	}
	if r.Intn(25) == 0 {
		return g.basic()
	}
	for _, row := range [][]interface{}{numbers[:5], numbers[5:10], numbers[10:]} {
		for _, x := range row {
			if reflect.TypeOf(x) == t && r.Intn(2) == 0 {
				return pick(r, row)
			}
		}
	}
	return t
}

// describe writes t as test/gob/harness.c reads it; false: it cannot be described.
func describe(t reflect.Type) (text string, ok bool) {
	var b strings.Builder
	d := describer{out: &b, known: map[reflect.Type]int{}}
	ok = d.put(t)
	return b.String(), ok
}

type describer struct {
	out   *strings.Builder
	known map[reflect.Type]int
	count int
}

func (d *describer) put(t reflect.Type) bool {
	switch t {
	case timeType:
		d.out.WriteByte('t')
		return true
	case durationType:
		d.out.WriteByte('d')
		return true
	case hueType:
		d.out.WriteByte('e')
		return true
	case faultType:
		d.out.WriteByte('x')
		return true
	}
	switch t.Kind() {
	case reflect.Bool:
		d.out.WriteByte('b')
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		fmt.Fprintf(d.out, "i%d", t.Size())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		fmt.Fprintf(d.out, "u%d", t.Size())
	case reflect.Float32, reflect.Float64:
		fmt.Fprintf(d.out, "f%d", t.Size())
	case reflect.String:
		d.out.WriteByte('s')
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			d.out.WriteByte('y')
			return true
		}
		d.out.WriteByte('[')
		return d.put(t.Elem())
	case reflect.Array:
		fmt.Fprintf(d.out, "a%d;", t.Len())
		return d.put(t.Elem())
	case reflect.Ptr:
		d.out.WriteByte('*')
		return t.Elem().Kind() == reflect.Struct && t.Elem() != faultType && t.Elem() != timeType && d.put(t.Elem())
	case reflect.Map:
		if t.Key().Kind() == reflect.String {
			d.out.WriteByte('m')
			return d.put(t.Elem())
		}
		d.out.WriteByte('p')
		return d.put(t.Key()) && d.put(t.Elem())
	case reflect.Struct:
		return d.structure(t)
	default:
		return false
	}
	return true
}

func (d *describer) structure(t reflect.Type) bool {
	if nth, ok := d.known[t]; ok && t.Name() != "" {
		fmt.Fprintf(d.out, "r%d;", nth)
		return true
	}
	d.known[t] = d.count
	d.count++
	fmt.Fprintf(d.out, "{%s", t.Name())
	for i := 0; i < t.NumField(); i++ {
		fmt.Fprintf(d.out, ".%s=", t.Field(i).Name)
		if !d.put(t.Field(i).Type) {
			return false
		}
	}
	d.out.WriteByte('}')
	return t.NumField() > 0
}

func registerAll() (all []reflect.Type) {
	for _, v := range []interface{}{Node{}, &Odd{}, Selves(nil), Web(nil), Hue(0), Words(nil), Octets(nil), Counts(nil), Fault{}, Within{},
		Sealed{}, &Packed{}, time.Time{}, time.Duration(0), &big.Int{},
		[]int(nil), []interface{}(nil), map[string]interface{}(nil), [2]string{}} {
		gob.Register(v)
		all = append(all, reflect.TypeOf(v))
	}
	for _, v := range []interface{}{0, int8(0), uint(0), uint16(0), 0.0, float32(0), complex128(0), false, "", []byte(nil), []string(nil)} {
		all = append(all, reflect.TypeOf(v)) // gob knows these
	}
	return all
}

var known = map[reflect.Type]bool{}

// register makes up some more, for the interfaces of these types.
func (g *types) register(serial int64) {
	for i := 0; i < 3; i++ {
		t := g.structure(1)
		if known[t] {
			continue
		}
		known[t] = true
		if name := fmt.Sprintf("fuzz.T%d.%d", serial, i); g.r.Intn(2) == 0 {
			gob.RegisterName(name, reflect.Zero(t).Interface())
		} else {
			gob.RegisterName(name, reflect.New(t).Interface())
			t = reflect.PtrTo(t)
		}
		g.registered = append(g.registered, t)
	}
}
