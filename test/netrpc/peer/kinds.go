// Arguments of every kind, for a client that knows types only as text: what arrived is answered as JSON.
package main

import (
	"encoding/gob"
	"encoding/json"
	"fmt"
	"math"
	"math/rand"
	"net"
	"net/rpc"
	"os"
	"reflect"
	"strconv"
	"time"
)

type Kinds struct{}

// Without names of their own, so that reflect writes them as they are.
type (
	flat = struct {
		A int
		B int8
		C int16
		D int32
		E int64
		F uint
		G uint8
		H uint16
		I uint32
		J uint64
		K float32
		L float64
		M bool
		N string
		O []byte
		P time.Time
		Q time.Duration
		R uintptr
	}
	nested = struct {
		In struct {
			X, Y int
			Deep struct{ S []string }
		}
		P  *struct{ N int }
		L  []struct{ A, B int }
		LP []*struct{ Two_Words string }
		LL [][]float32
	}
	maps = struct {
		A map[string]int
		B map[int]string
		C map[uint8][]int
		D map[string]map[string]float64
		E map[int64]struct{ X, Y int }
		F map[string]time.Time
	}
	arrays = struct {
		A [3]int
		B [2][2]float64
		C [2]string
		D [2]struct{ X int }
		E [4]byte
		F [2]time.Time
		G [0]int
	}
	points = []struct {
		X, Y int
		Name string
		More []float64
	}
	open = struct{ V interface{} }
	tags = struct {
		A int `json:"a" xml:"b"`
		B int
	}
)

type Tree struct {
	Name string
	Kids []Tree
}

func show(v any, r *string) error {
	text, err := json.Marshal(v)
	*r = string(text)
	return err
}

func (Kinds) Flat(a *flat, r *string) error             { return show(a, r) }
func (Kinds) Nested(a nested, r *string) error          { return show(a, r) }
func (Kinds) Maps(a *maps, r *string) error             { return show(a, r) }
func (Kinds) Arrays(a *arrays, r *string) error         { return show(a, r) }
func (Kinds) Points(a points, r *string) error          { return show(a, r) }
func (Kinds) Tree(a *Tree, r *string) error             { return show(a, r) }
func (Kinds) Open(a *open, r *string) error             { return show(a, r) }
func (Kinds) Tags(a *tags, r *string) error             { *r = fmt.Sprint(a.A, a.B); return nil }
func (Kinds) Map(a map[string]int, r *string) error     { return show(a, r) }
func (Kinds) Keys(a map[int8][]string, r *string) error { return show(a, r) }
func (Kinds) Bools(a map[bool]float64, r *string) error { *r = fmt.Sprint(a); return nil }
func (Kinds) Array(a [3]int, r *string) error           { return show(a, r) }
func (Kinds) Time(a time.Time, r *string) error         { return show(a, r) }
func (Kinds) Bytes(a []byte, r *string) error           { return show(a, r) }
func (Kinds) Float(a float64, r *string) error          { *r = fmt.Sprint(a); return nil }
func (Kinds) Uint(a uint64, r *string) error            { return show(a, r) }

// The type of a method's argument as reflect writes it.
func typeOf(method string) string {
	m, ok := reflect.TypeOf(Kinds{}).MethodByName(method)
	if !ok {
		fatal("no method", method)
	}
	t := m.Type.In(1)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.String()
}

// == Types and values made up ============================================================================================

var leaves = []reflect.Type{reflect.TypeOf(false), reflect.TypeOf(int(0)), reflect.TypeOf(int8(0)), reflect.TypeOf(int16(0)),
	reflect.TypeOf(int32(0)), reflect.TypeOf(int64(0)), reflect.TypeOf(uint(0)), reflect.TypeOf(uint8(0)), reflect.TypeOf(uint16(0)),
	reflect.TypeOf(uint32(0)), reflect.TypeOf(uint64(0)), reflect.TypeOf(float32(0)), reflect.TypeOf(float64(0)),
	reflect.TypeOf(""), reflect.TypeOf([]byte{}), reflect.TypeOf(time.Time{}), reflect.TypeOf(time.Duration(0))}

func randomType(r *rand.Rand, depth int) reflect.Type {
	what := r.Intn(12)
	if depth == 0 || what < 5 {
		return leaves[r.Intn(len(leaves))]
	}
	switch what {
	case 5, 6:
		return reflect.SliceOf(randomType(r, depth-1))
	case 7:
		return reflect.ArrayOf(r.Intn(4), randomType(r, depth-1))
	case 8:
		return reflect.MapOf([]reflect.Type{leaves[2], leaves[10], leaves[13]}[r.Intn(3)], randomType(r, depth-1))
	default:
		return randomStruct(r, depth)
	}
}

func randomStruct(r *rand.Rand, depth int) reflect.Type {
	var fields []reflect.StructField
	for i := 0; i < 1+r.Intn(5); i++ {
		t := randomType(r, depth-1)
		if t.Kind() == reflect.Struct && r.Intn(2) == 0 {
			t = reflect.PointerTo(t)
		}
		fields = append(fields, reflect.StructField{Name: fmt.Sprintf("F%d_%c", i, 'a'+r.Intn(26)), Type: t})
	}
	return reflect.StructOf(fields)
}

func fill(r *rand.Rand, v reflect.Value) {
	if r.Intn(6) == 0 {
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(r.Uint64()) >> r.Intn(64))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(r.Uint64() >> r.Intn(64))
	case reflect.Float32:
		v.SetFloat(float64(float32(r.NormFloat64() * math.Pow(10, float64(r.Intn(40)-20)))))
	case reflect.Float64:
		v.SetFloat(r.NormFloat64() * math.Pow(10, float64(r.Intn(600)-300)))
	case reflect.String:
		v.SetString([]string{"x", "h\u00e9\U0001f980", "\"\\\n\x01<&>\u2028", "a b"}[r.Intn(4)])
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(r, v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), r.Intn(4), 4))
		fallthrough
	case reflect.Array:
		for i := 0; i < v.Len(); i++ {
			fill(r, v.Index(i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for i := r.Intn(3); i >= 0; i-- {
			key, elem := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(r, key)
			fill(r, elem)
			v.SetMapIndex(key, elem)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeOf(time.Time{}) {
			zone := time.FixedZone("", (r.Intn(1440)-720)*60)
			v.Set(reflect.ValueOf(time.Unix(r.Int63n(1<<36)-1<<35, r.Int63n(1e9)).In(zone)))
			return
		}
		for i := 0; i < v.NumField(); i++ {
			fill(r, v.Field(i))
		}
	}
}

// The type and the value of a number, of what cannot be told from gob's nothing none: a slice without elements is nil.
func random(seed int64) reflect.Value {
	r := rand.New(rand.NewSource(seed))
	t := randomType(r, 4)
	if r.Intn(3) > 0 {
		t = randomStruct(r, 4)
	}
	v := reflect.New(t).Elem()
	fill(r, v)
	return v
}

// What a value is to who gets it as gob.
func through(v reflect.Value) reflect.Value {
	got := reflect.New(v.Type())
	from, to := net.Pipe()
	go func() { gob.NewEncoder(from).EncodeValue(v) }()
	if err := gob.NewDecoder(to).DecodeValue(got); err != nil {
		fatal(err)
	}
	return got.Elem()
}

// Prints types and values; then serves methods by number that take such a type.
func serveRandom(l net.Listener, first, count int64) {
	for i := first; i < first+count; i++ {
		v := random(i)
		var sent, want string
		if show(v.Interface(), &sent) != nil || show(through(v).Interface(), &want) != nil {
			fatal("no JSON of", v)
		}
		fmt.Printf("%s\t%s\t%s\n", v.Type(), sent, want)
	}
	fmt.Println(l.Addr())
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			dec, enc := gob.NewDecoder(c), gob.NewEncoder(c)
			for {
				var q rpc.Request
				if dec.Decode(&q) != nil {
					return
				}
				i, _ := strconv.ParseInt(q.ServiceMethod, 10, 64)
				v := reflect.New(random(i).Type())
				a := rpc.Response{ServiceMethod: q.ServiceMethod, Seq: q.Seq}
				var text string
				err := dec.DecodeValue(v)
				if err == nil {
					err = show(v.Elem().Interface(), &text)
				}
				if err != nil {
					a.Error = err.Error()
				}
				enc.Encode(a)
				enc.Encode(text)
			}
		}()
	}
}

func kinds(args []string) {
	if args[0] == "type" {
		fmt.Print(typeOf(args[1]))
		return
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	first, err1 := strconv.ParseInt(args[1], 10, 64)
	count, err2 := strconv.ParseInt(args[2], 10, 64)
	if err != nil || err1 != nil || err2 != nil {
		fatal("usage: peer random FIRST COUNT")
	}
	serveRandom(l, first, count)
	os.Exit(0)
}
