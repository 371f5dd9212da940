// What the two readers decide differently on purpose: ../differences.
package main

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
)

type difference struct {
	name, stricter, reader string
	says                   *regexp.Regexp
	when, why, into        string
	sample                 []byte
	seen                   int
}

func readDifferences(path string) (all []difference) {
	if path == "" {
		return nil
	}
	b, err := os.ReadFile(path)
	check(err)
	for _, block := range strings.Split(string(b), "\n\n") {
		d := difference{}
		for _, line := range strings.Split(block, "\n") {
			at := strings.Index(line, ": ")
			if strings.HasPrefix(line, "#") || at < 0 {
				continue
			}
			switch value := line[at+2:]; line[:at] {
			case "name":
				d.name = value
			case "stricter":
				d.stricter = value
			case "reader":
				d.reader = value
			case "says":
				d.says = regexp.MustCompile(value)
			case "when":
				d.when = value
			case "why":
				d.why = value
			case "into":
				d.into = value
			case "sample":
				d.sample, err = hex.DecodeString(strings.ReplaceAll(value, " ", ""))
				check(err)
			default:
				check(fmt.Errorf("%s: %q is no field", path, line))
			}
		}
		if d.name != "" {
			all = append(all, d)
		}
	}
	return all
}

// fits: `when` limits a difference to what can bring it about.
func (d *difference) fits(f *fuzzer, like []reflect.Type, stream []byte) bool {
	switch d.when {
	case "an interface":
		return strings.Contains(string(f.peer.ask('k', stream)), "0000000000000008")
	case "a type twice":
		return twice(like)
	case "two types for one":
		return f.two
	case "an id of gob's own":
		for id := byte(16 * 2); id < 24*2; id += 2 {
			if bytes.Contains(stream, []byte{id}) {
				return true
			}
		}
		return false
	}
	return true
}

// anyOf: one of the types, or of those in them, is such a one.
func anyOf(all []reflect.Type, is func(reflect.Type) bool) bool {
	seen := map[reflect.Type]int{}
	for _, t := range all {
		if walk(t, seen, is) {
			return true
		}
	}
	return false
}

func walk(t reflect.Type, seen map[reflect.Type]int, is func(reflect.Type) bool) bool {
	seen[t]++
	if is(t) {
		return true
	}
	if seen[t] > 1 {
		return false
	}
	switch t.Kind() {
	case reflect.Map:
		return walk(t.Key(), seen, is) || walk(t.Elem(), seen, is)
	case reflect.Slice, reflect.Array, reflect.Ptr:
		return walk(t.Elem(), seen, is)
	case reflect.Struct:
		for i := 0; i < t.NumField(); i++ {
			if walk(t.Field(i).Type, seen, is) {
				return true
			}
		}
	}
	return false
}

// twice: a type with parts is in one of them more than once, or in itself.
func twice(all []reflect.Type) bool {
	for _, t := range all {
		seen := map[reflect.Type]int{}
		walk(t, seen, func(reflect.Type) bool { return false })
		for t, n := range seen {
			switch t.Kind() {
			case reflect.Struct, reflect.Map, reflect.Slice, reflect.Array, reflect.Ptr:
				if n > 1 {
					return true
				}
			}
		}
	}
	return false
}

// twoForOne: somewhere in them one type of the reader's stands where the sender has two.  Go's reader compiles how to read a type once for
// all of a value, for the first of them, and takes the other for that one, whatever it is: see "a type twice" in ../differences.
func twoForOne(sent, read reflect.Type) bool { return two(sent, read, map[reflect.Type]reflect.Type{}) }

func two(sent, read reflect.Type, first map[reflect.Type]reflect.Type) bool {
	for ; sent.Kind() == reflect.Ptr; sent = sent.Elem() {
	}
	for ; read.Kind() == reflect.Ptr; read = read.Elem() {
	}
	if sent.Kind() != read.Kind() || byItself(reflect.Zero(read)) {
		return false
	}
	switch read.Kind() {
	case reflect.Struct, reflect.Map, reflect.Slice, reflect.Array:
		if was, seen := first[read]; seen {
			return was != sent
		}
		first[read] = sent
	}
	switch read.Kind() {
	case reflect.Map:
		return two(sent.Key(), read.Key(), first) || two(sent.Elem(), read.Elem(), first)
	case reflect.Slice, reflect.Array:
		return two(sent.Elem(), read.Elem(), first)
	case reflect.Struct:
		for i := 0; i < read.NumField(); i++ {
			if there, is := sent.FieldByName(read.Field(i).Name); is && two(there.Type, read.Field(i).Type, first) {
				return true
			}
		}
	}
	return false
}

var samplesInto = map[string]reflect.Type{
	"int": reflect.TypeOf(0), "int8": reflect.TypeOf(int8(0)), "Fault": faultType, "any": anyType, "time.Time": timeType,
	"[2]int": reflect.TypeOf([2]int{}), "map[string]int": reflect.TypeOf(map[string]int{}), "cstr": reflect.TypeOf(""),
	"Two": of((*Two)(nil)), "Within": of((*Within)(nil)), "Left": reflect.TypeOf(struct{ Y int }{}),
}

// samples looks whether each difference is still one; the exit code
func (f *fuzzer) samples() (code int) {
	wrong := func(d difference, format string, args ...interface{}) {
		fmt.Printf("%s: %s\n", d.name, fmt.Sprintf(format, args...))
		code = 1
	}
	for _, d := range f.differ {
		t, known := samplesInto[d.into]
		if !known || d.why == "" || len(d.sample) == 0 || d.stricter != "leat" && d.stricter != "go" {
			wrong(d, "it needs a stricter one, a reason, a sample and a type for it")
			continue
		}
		values, goWhy := goRead(d.sample, []reflect.Type{t})
		good, leatWhy := 0, ""
		if d.reader == "described" {
			text, _ := describe(t)
			if d.into == "cstr" {
				text = "c"
			}
			answer := f.peer.ask('t', append(append([]byte(text), 0), d.sample...))
			good, leatWhy = int(answer[0]), string(answer[8+binary.LittleEndian.Uint32(answer[4:]):])
		} else {
			answer := f.peer.ask('d', d.sample)
			end := bytes.IndexByte(answer, 0)
			good, leatWhy = bytes.Count(answer[:end], []byte{'\n'}), string(answer[end+1:])
		}
		mine, other := leatWhy, goWhy
		if d.stricter == "go" {
			mine, other = goWhy, leatWhy
		}
		if !d.says.MatchString(mine) || other != "" || mine == "" && good == len(values) {
			wrong(d, "leat %d values, %q; Go %d values, %q", good, leatWhy, len(values), goWhy)
		}
	}
	return code
}
