// Streams by Go's own encoding/gob, with what Go's own reader and encoding/json make of them.
//
//	peer SEED N DIR  writes DIR/K.gob, K below N: random values; with bytes of the last one changed in every K that is not a multiple of 4.
//	                 DIR/K.json has a line for each value Go's reader gets out of it; DIR/K.end says "clean" or why it stopped.
package main

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"math/rand"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"time"
)

type Leaf struct {
	I   int64
	U   uint16
	S   string
	B   bool
	F   float64
	Raw []byte
}

type Tree struct {
	Name string
	Kids []Tree
}

type List struct {
	V    int
	Next *List
}

type Named []string
type Counts map[string]int

type All struct {
	Leaf1 Leaf
	Leaf2 *Leaf
	Many  []Leaf
	Grid  [2][3]int
	Names Named
	Words Counts
	ByNum map[int]Leaf
	When  time.Time
	Took  time.Duration
	Big   *big.Int
	Any   interface{}
	Anys  []interface{}
	Tree  Tree
	List  *List
	Deep  map[string]map[string][]uint
	Last  bool
}

func text(r *rand.Rand) string {
	const letters = "abc<&>\"\\\n\téß世\u2028🦀\xff\x00"
	b := []byte{}
	for n := r.Intn(6); n > 0; n-- {
		i := r.Intn(len(letters))
		b = append(b, letters[i])
	}
	return string(b)
}

func when(r *rand.Rand) time.Time {
	t := time.Unix(r.Int63n(200e9)-50e9, r.Int63n(1e9)*int64(r.Intn(2)))
	switch r.Intn(3) {
	case 0:
		return t.UTC()
	case 1:
		return t.In(time.FixedZone("", 120*(r.Intn(700)-350)))
	}
	return t.In(time.FixedZone("", 3600*(r.Intn(24)-12)))
}

func any(r *rand.Rand) interface{} {
	switch r.Intn(9) {
	case 0:
		return leaf(r)
	case 1:
		return []int{r.Int()}
	case 2:
		return text(r)
	case 3:
		return Named{text(r), "x"}
	case 4:
		return Counts{"a": r.Intn(5)}
	case 5:
		return when(r)
	case 6:
		return tree(r, 2)
	case 7:
		return []interface{}{leaf(r), "s", 1}
	}
	return r.NormFloat64()
}

func leaf(r *rand.Rand) Leaf {
	l := Leaf{S: text(r), B: r.Intn(2) == 0, U: uint16(r.Intn(1 << uint(r.Intn(17))))}
	l.I = r.Int63() >> uint(r.Intn(64)) * int64(1-2*r.Intn(2))
	switch r.Intn(4) {
	case 0:
		l.F = r.NormFloat64()
	case 1:
		l.F = float64(r.Intn(100)) / 8
	case 2:
		l.F, _ = strconv.ParseFloat(fmt.Sprintf("%de%d", r.Intn(1e6), r.Intn(600)-320), 64)
	}
	if r.Intn(2) == 0 {
		l.Raw = make([]byte, r.Intn(5))
		r.Read(l.Raw)
	}
	return l
}

func tree(r *rand.Rand, deep int) Tree {
	t := Tree{Name: text(r)}
	for n := r.Intn(3); deep > 0 && n > 0; n-- {
		t.Kids = append(t.Kids, tree(r, deep-1))
	}
	return t
}

func all(r *rand.Rand) All {
	a := All{Leaf1: leaf(r), Tree: tree(r, 3), When: when(r), Took: time.Duration(r.Int63())}
	for n := r.Intn(4); n > 0; n-- {
		a.Many = append(a.Many, leaf(r))
		a.Names = append(a.Names, text(r))
		a.Anys = append(a.Anys, any(r))
		a.List = &List{V: n, Next: a.List}
	}
	a.Grid[r.Intn(2)][r.Intn(3)] = r.Intn(3)
	if r.Intn(2) == 0 {
		l := leaf(r)
		a.Leaf2 = &l
		a.Any = any(r)
		a.Words = Counts{text(r): 1, text(r): -2}
		a.ByNum = map[int]Leaf{r.Intn(100): leaf(r), -r.Intn(100): leaf(r)}
		a.Big = new(big.Int).Rand(r, new(big.Int).Lsh(big.NewInt(1), uint(1+r.Intn(200))))
		a.Big.Neg(a.Big)
		a.Deep = map[string]map[string][]uint{"x": {text(r): {1, 2}}, text(r): {}}
		a.Last = true
	}
	return a
}

// Types of the values of a stream, one after the other.
func values(r *rand.Rand) []interface{} {
	switch r.Intn(5) {
	case 0:
		return []interface{}{leaf(r), leaf(r)}
	case 1:
		return []interface{}{[]string{text(r)}, map[string]int{text(r): r.Intn(3)}, r.Intn(1000), text(r), r.NormFloat64()}
	case 2:
		return []interface{}{tree(r, 4), when(r)}
	}
	return []interface{}{all(r), all(r)}
}

// What Go's reader gets out of a stream, as lines of JSON, and how it ended.
func read(stream []byte, like []interface{}) (lines []byte, end string) {
	defer func() {
		if p := recover(); p != nil {
			end = fmt.Sprint("panic: ", p)
		}
	}()
	d := gob.NewDecoder(bytes.NewReader(stream))
	for i := 0; ; i++ {
		v := reflect.New(reflect.TypeOf(like[i%len(like)]))
		if err := d.DecodeValue(v); err == io.EOF {
			return lines, "clean"
		} else if err != nil {
			return lines, err.Error()
		}
		line, err := json.Marshal(v.Interface())
		if err != nil {
			return lines, "not in JSON: " + err.Error()
		}
		lines = append(append(lines, asToday(line)...), '\n')
	}
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

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	seed, err := strconv.ParseInt(os.Args[1], 10, 64)
	check(err)
	n, err := strconv.Atoi(os.Args[2])
	check(err)
	for _, v := range []interface{}{Leaf{}, Named{}, Counts{}, time.Time{}, Tree{}, []int{}, []interface{}{}} {
		gob.Register(v)
	}
	for k := 0; k < n; k++ {
		r := rand.New(rand.NewSource(seed*1000003 + int64(k)))
		like := values(r)
		var b bytes.Buffer
		last := 0 // where the last one starts
		e := gob.NewEncoder(&b)
		for _, v := range append(like, like[0]) { // the first once more, when all its types are known
			last = b.Len()
			check(e.Encode(v))
		}
		stream := b.Bytes()
		if k%4 != 0 {
			for i := r.Intn(3); i >= 0; i-- {
				stream[last+r.Intn(len(stream)-last)] ^= byte(1 << uint(r.Intn(8)))
			}
		}
		lines, end := read(stream, like)
		name := filepath.Join(os.Args[3], strconv.Itoa(k))
		check(os.WriteFile(name+".gob", stream, 0o644))
		check(os.WriteFile(name+".json", lines, 0o644))
		check(os.WriteFile(name+".end", []byte(end), 0o644))
	}
}
