// Differential fuzzing of leat's gob against Go's own.
//
//	fuzz [-seed N] [-from K] [-count N] [-seconds S] [-differences FILE] [-found DIR] HARNESS
//
// Each case is of its number and the seed alone.  Half of them are read by a reader that does not know the types, which must print what
// Go's encoding/json prints of what Go's reader has read; half are read into described types, written again by leat, and read by Go.
// Most streams are damaged first: then both must get the same values out of them and stop at the same one, but for what FILE tells.
package main

import (
	"bytes"
	"encoding/binary"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"time"
)

const epoch = 400 // so many cases share their types: reflect and gob forget none

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "fuzz:", err)
		os.Exit(3)
	}
}

// == The other side ==========================================================================================================

type harness struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out io.Reader
}

func start(path string) *harness {
	h := &harness{cmd: exec.Command(path)}
	var err error
	h.in, err = h.cmd.StdinPipe()
	check(err)
	h.out, err = h.cmd.StdoutPipe()
	check(err)
	h.cmd.Stderr = os.Stderr
	check(h.cmd.Start())
	return h
}

// ask gives nil when the harness has died.
func (h *harness) ask(what byte, data []byte) []byte {
	head := append([]byte{what, 0, 0, 0, 0}, data...)
	binary.LittleEndian.PutUint32(head[1:], uint32(len(data)))
	h.in.Write(head)
	var n [4]byte
	if _, err := io.ReadFull(h.out, n[:]); err != nil {
		return nil
	}
	answer := make([]byte, binary.LittleEndian.Uint32(n[:]))
	if _, err := io.ReadFull(h.out, answer); err != nil {
		return nil
	}
	return answer
}

// == Go's side ===============================================================================================================

// goRead reads values of the types in turn; why is "" at the end of the stream.
func goRead(stream []byte, like []reflect.Type) (values []reflect.Value, why string) {
	defer func() {
		if p := recover(); p != nil {
			why = fmt.Sprint("panic: ", p)
		}
	}()
	d := gob.NewDecoder(bytes.NewReader(stream))
	for i := 0; ; i++ {
		v := reflect.New(like[i%len(like)])
		if err := d.DecodeValue(v); err == io.EOF {
			return values, ""
		} else if err != nil {
			return values, err.Error()
		}
		values = append(values, v.Elem())
	}
}

// goSkip reads them into nothing.
func goSkip(stream []byte) (n int, why string) {
	defer func() {
		if p := recover(); p != nil {
			why = fmt.Sprint("panic: ", p)
		}
	}()
	d := gob.NewDecoder(bytes.NewReader(stream))
	for ; ; n++ {
		if err := d.DecodeValue(reflect.Value{}); err == io.EOF {
			return n, ""
		} else if err != nil {
			return n, err.Error()
		}
	}
}

// write encodes as many of them as gob takes.
func write(values []reflect.Value) (stream []byte) {
	var b bytes.Buffer
	defer func() {
		if recover() != nil {
			stream = nil // there are nil pointers that encoding/gob follows
		}
	}()
	e := gob.NewEncoder(&b)
	for _, v := range values {
		n := b.Len()
		if e.EncodeValue(v) != nil {
			b.Truncate(n)
			return b.Bytes()
		}
	}
	return b.Bytes()
}

// == One case ================================================================================================================

type fuzzer struct {
	seed   int64
	peer   *harness
	differ []difference
	counts map[string]int
	boxes  []reflect.Type
	at     int64 // the epoch that the types are of
	wild   []reflect.Type
	typed  [][3]reflect.Type // sent; read by leat, and written; read by Go
	texts  []string
	others [][]byte // streams to take pieces from
	two    bool     // the stream has two types for one of the reader's, or, after damage, may have
	typing *types
}

func (f *fuzzer) begin(k int64) {
	if f.at == k/epoch && f.wild != nil {
		return
	}
	f.at = k / epoch
	r := rand.New(rand.NewSource(f.seed*1000003 + f.at*7919 + 5))
	g := &types{r: r}
	f.wild, f.typed, f.texts, f.others = nil, nil, nil, nil
	g.register(f.seed*100000 + f.at)
	boxes := append(append([]reflect.Type{}, f.boxes...), g.registered...)
	g.registered = boxes
	for i := 0; i < 16; i++ {
		f.wild = append(f.wild, g.any(1+r.Intn(4)))
	}
	g.typed = true
	for i := 0; i < 24; i++ {
		first := g.any(1 + r.Intn(4))
		second := first
		if r.Intn(3) > 0 {
			second = g.later(first)
		}
		if text, ok := describe(second); ok {
			f.typed = append(f.typed, [3]reflect.Type{first, second, g.later(second)})
			f.texts = append(f.texts, text)
		}
	}
	f.typing = g
	for i := 0; i < 8; i++ {
		f.others = append(f.others, write(made(r, f.wild[i], 2, boxes)))
	}
}

func made(r *rand.Rand, t reflect.Type, n int, boxes []reflect.Type) (values []reflect.Value) {
	for i := 0; i < n; i++ {
		v := reflect.New(t).Elem()
		fillWhole(r, v, 5, boxes)
		values = append(values, v)
	}
	return values
}

// show prints a value as `leat decode` does; showAlike, for two that are compared through described types, nothing as an empty list.
func show(v reflect.Value) *shower {
	s := &shower{}
	s.value(v, false)
	return s
}

func showAlike(v reflect.Value, evolved bool) *shower {
	s := &shower{same: true, evolved: evolved}
	s.value(v, false)
	return s
}

func (f *fuzzer) damaged(r *rand.Rand, stream []byte) ([]byte, bool) {
	damage := r.Intn(3) > 0 && len(stream) > 0
	if damage {
		stream = mutate(r, stream, f.others[r.Intn(len(f.others))])
	}
	return stream, damage
}

// Without types: the problem, or ""
func (f *fuzzer) untyped(r *rand.Rand) (stream []byte, like []reflect.Type, problem string) {
	values := []reflect.Value{}
	for n := r.Intn(2) * r.Intn(3); n >= 0; n-- {
		t := f.wild[r.Intn(len(f.wild))]
		like = append(like, t)
		values = append(values, made(r, t, 1, f.typing.registered)...)
	}
	if len(like) == 1 {
		values = append(values, made(r, like[0], r.Intn(3), f.typing.registered)...)
	}
	whole := write(values)
	stream, damage := f.damaged(r, whole)
	answer := f.peer.ask('d', stream)
	if answer == nil {
		return stream, like, "the harness died"
	}
	f.two = damage && (twice(like) || anyOf(like, isInterface)) && !f.typesAsSent(whole, stream)
	end := bytes.IndexByte(answer, 0)
	lines, leatWhy := bytes.Split(answer[:end], []byte{'\n'}), string(answer[end+1:])
	lines = lines[:len(lines)-1]
	if strings.Contains(leatWhy, "a count that is over") { // Go would make room for as many before it looks for them
		f.counts["not asked of Go: a count over the bytes"]++
		return stream, like, ""
	}
	got, goWhy := goRead(stream, like)
	for i := 0; i < len(got) && i < len(lines); i++ {
		s := show(got[i])
		if s.unknown {
			f.counts["values not compared"]++
			continue
		}
		if !s.odd {
			b, err := json.Marshal(got[i].Addr().Interface())
			if _, cannot := err.(*json.UnsupportedTypeError); cannot {
				f.counts["values that encoding/json has not"]++
			} else if err != nil || !bytes.Equal(asToday(b), s.Bytes()) {
				return stream, like, fmt.Sprintf("the fuzzer itself shows\n%s, encoding/json\n%s", s.Bytes(), b)
			}
			f.counts["values as encoding/json has them"]++
		}
		if mine := lines[i][16:]; !bytes.Equal(mine, s.Bytes()) {
			if damage && bytes.Equal(emptyAsNone(mine), emptyAsNone(s.Bytes())) {
				f.counts["values of damaged streams with an empty field"]++
				continue
			}
			if other := (&shower{nameless: true}); s.noTime {
				if other.value(got[i], false); bytes.Equal(mine, other.Bytes()) {
					continue
				}
			}
			if damage && (s.ghost || !f.asSent(whole, stream, lines[i], i, like[i%len(like)])) {
				f.counts["values of damaged types, not compared"]++
				break
			}
			return stream, like, fmt.Sprintf("value %d:\nleat %s\nGo   %s", i, near(mine, s.Bytes()), near(s.Bytes(), mine))
		}
		f.counts["values"]++
	}
	if damage && len(lines) >= len(got) && goWhy != "" && (leatWhy == "" || len(lines) > len(got)) {
		// Is it refused only by who wants other types?  Go's reader skips no nil interface well.
		if n, skipWhy := goSkip(stream); n >= len(lines) || skipWhy == "" || anyOf(like, isInterface) ||
			bytes.Contains(answer, []byte("0000000000000008")) {
			f.counts["refused by Go for its types"]++
			return stream, like, f.known("go", "typed", like, stream, goWhy, leatWhy, len(lines), len(got))
		} else {
			goWhy = skipWhy
		}
	}
	return stream, like, f.verdict("untyped", like, stream, len(lines), leatWhy, len(got), goWhy)
}

// emptyAsNone: a field of no elements, which encoders leave out, so only damage makes it: to Go's reader it is none.  See ../differences.
func emptyAsNone(b []byte) []byte {
	return bytes.ReplaceAll(bytes.ReplaceAll(b, []byte(":[]"), []byte(":null")), []byte(`:""`), []byte(":null"))
}

// asSent: the value of a damaged stream is still one of the type that was sent: else the two readers see two types.
func (f *fuzzer) asSent(whole, stream, line []byte, i int, t reflect.Type) bool {
	if anyOf([]reflect.Type{t}, isInterface) {
		return false // a name and a type that do not belong together
	}
	if secondsOfZone(stream) {
		return false
	}
	answer := f.peer.ask('d', whole)
	lines := bytes.Split(answer[:bytes.IndexByte(answer, 0)], []byte{'\n'})
	return i < len(lines)-1 && bytes.Equal(lines[i][:16], line[:16]) && f.typesAsSent(whole, stream)
}

// typesAsSent: each type of the stream is one of those that were sent, or lent pieces to it.
func (f *fuzzer) typesAsSent(whole, stream []byte) bool {
	known := map[string]bool{}
	for _, b := range append([][]byte{whole}, f.others...) {
		for _, one := range strings.Split(string(f.peer.ask('k', b)), "\n") {
			known[one] = true
		}
	}
	for _, one := range strings.Split(string(f.peer.ask('k', stream)), "\n") {
		if !known[one] {
			return false
		}
	}
	return true
}

// secondsOfZone: perhaps there is a time in a zone with seconds, which damage can have made one west: see fill.
func secondsOfZone(stream []byte) bool { return bytes.Contains(stream, []byte{16, 2}) }

func isInterface(t reflect.Type) bool { return t.Kind() == reflect.Interface }

func near(a, b []byte) []byte {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	from, to := i-60, i+100
	if from < 0 {
		from = 0
	}
	if to > len(a) {
		to = len(a)
	}
	return a[from:to]
}

// With described types
func (f *fuzzer) described(r *rand.Rand) (stream []byte, like []reflect.Type, problem string) {
	i := r.Intn(len(f.typed))
	t := f.typed[i]
	like = t[1:2]
	whole := write(made(r, t[0], 1+r.Intn(3), f.typing.registered))
	stream, damage := f.damaged(r, whole)
	answer := f.peer.ask('t', append(append([]byte(f.texts[i]), 0), stream...))
	if answer == nil {
		return stream, like, "the harness died"
	}
	good, n := int(binary.LittleEndian.Uint32(answer)), binary.LittleEndian.Uint32(answer[4:])
	again, leatWhy := answer[8:8+n], string(answer[8+n:])
	if strings.Contains(leatWhy, "a count that is over") {
		f.counts["not asked of Go: a count over the bytes"]++
		return stream, like, ""
	}
	f.two = twoForOne(t[0], t[1]) || damage && twice(like) && !f.typesAsSent(whole, stream)
	got, goWhy := goRead(stream, like)
	through, why := goRead(again, like)
	if why != "" || len(through) != good {
		return stream, like, fmt.Sprintf("what leat wrote Go does not read: %s (%d of %d) %x", why, len(through), good, again)
	}
	for i := 0; i < len(got) && i < good; i++ {
		a, b := showAlike(through[i], damage || t[0] != t[1]), showAlike(got[i], damage || t[0] != t[1])
		if !a.unknown && !bytes.Equal(a.Bytes(), b.Bytes()) && !(damage && secondsOfZone(stream)) {
			if f.two {
				f.counts["values of two types there for one here"]++
				break
			}
			return stream, like, fmt.Sprintf("value %d:\nthrough leat %s\nGo           %s", i, near(a.Bytes(), b.Bytes()),
				near(b.Bytes(), a.Bytes()))
		}
		f.counts["values through described types"]++
	}
	problem = f.verdict("described", like, stream, good, leatWhy, len(got), goWhy)
	// An error that is zero is left out by leat's encoder, as a struct of Go's never is: to a pointer that makes a difference.
	failure := anyOf(t[1:2], func(t reflect.Type) bool { return t == faultType })
	if problem == "" && good == len(got) && good > 0 && !failure && !(damage && secondsOfZone(stream)) {
		problem = f.evolved(again, write(got), t[2:])
	}
	return stream, like, problem
}

// What leat has written is to a third type as what Go would have written.
func (f *fuzzer) evolved(mine, gos []byte, like []reflect.Type) string {
	a, aWhy := goRead(mine, like)
	b, bWhy := goRead(gos, like)
	f.counts["streams of leat's into a third type"]++
	if len(a) != len(b) || (aWhy == "") != (bWhy == "") {
		return fmt.Sprintf("into %v: of leat's %d %s, of Go's %d %s", like[0], len(a), aWhy, len(b), bWhy)
	}
	for i := range a {
		x, y := showAlike(a[i], true), showAlike(b[i], true)
		if !x.unknown && !bytes.Equal(x.Bytes(), y.Bytes()) {
			return fmt.Sprintf("into %v:\nleat %s\nGo   %s", like[0], near(x.Bytes(), y.Bytes()), near(y.Bytes(), x.Bytes()))
		}
	}
	return ""
}

func (f *fuzzer) verdict(reader string, like []reflect.Type, stream []byte, good int, leatWhy string, goGood int, goWhy string) string {
	switch {
	case good == goGood && (leatWhy == "") == (goWhy == ""):
		if goWhy == "" {
			f.counts["streams both read to the end"]++
		} else {
			f.counts["streams both refuse"]++
		}
		return ""
	case good < goGood || good == goGood && leatWhy != "":
		return f.known("leat", reader, like, stream, leatWhy, goWhy, good, goGood)
	}
	return f.known("go", reader, like, stream, goWhy, leatWhy, good, goGood)
}

func (f *fuzzer) known(stricter, reader string, like []reflect.Type, stream []byte, why, other string, good, goGood int) string {
	for i := range f.differ {
		if d := &f.differ[i]; d.stricter == stricter && (d.reader == "" || d.reader == reader) && d.says.MatchString(why) &&
			d.fits(f, like, stream) {
			d.seen++
			return ""
		}
	}
	return fmt.Sprintf("%s: only %s refuses: %s (the other: %q; leat %d values, Go %d)", reader, stricter, why, other, good, goGood)
}

// == All of them =============================================================================================================

func main() {
	seed := flag.Int64("seed", 1, "")
	from := flag.Int64("from", 0, "the first case")
	count := flag.Int64("count", 1<<40, "so many")
	seconds := flag.Int("seconds", 0, "0: no limit")
	differences := flag.String("differences", "", "what differs on purpose")
	found := flag.String("found", "", "where streams go that the two disagree on")
	progress := flag.String("progress", "", "a file that holds the number of the case that runs")
	samples := flag.Bool("samples", false, "only the samples of the differences")
	numbers := flag.Int("floats", 0, "only floats as text, sixteen times so many beside those at the edges")
	most := flag.Int("most", 20, "stops after so many findings")
	flag.Parse()
	f := &fuzzer{seed: *seed, peer: start(flag.Arg(0)), counts: map[string]int{}, boxes: registerAll()}
	f.differ = readDifferences(*differences)
	if *samples {
		os.Exit(f.samples())
	}
	if *numbers > 0 {
		os.Exit(f.floats(rand.New(rand.NewSource(*seed)), *numbers))
	}
	var note *os.File
	if *progress != "" {
		var err error
		note, err = os.Create(*progress)
		check(err)
	}
	began, bad, k := time.Now(), 0, *from
	last := *from + *count
	if *count == 1<<40 {
		last = (*from/epoch + 8) * epoch // reflect forgets no type: another process goes on
	}
	for ; k < last && bad < *most && (*seconds == 0 || time.Since(began) < time.Duration(*seconds)*time.Second); k++ {
		if note != nil {
			note.WriteAt([]byte(fmt.Sprintf("%020d", k)), 0)
		}
		f.begin(k)
		r := rand.New(rand.NewSource(*seed*1000003 + k))
		one, name := f.untyped, "untyped"
		if r.Intn(2) == 0 && len(f.typed) > 0 {
			one, name = f.described, "described"
		}
		stream, like, problem := one(r)
		if problem == "" {
			continue
		}
		bad++
		fmt.Printf("FOUND %d %s %v\n%s\n%s\n", k, name, like, problem, short(stream))
		if *found != "" {
			check(os.WriteFile(filepath.Join(*found, fmt.Sprintf("%d-%d.gob", *seed, k)), stream, 0o644))
		}
		if problem == "the harness died" {
			f.peer = start(flag.Arg(0))
		}
	}
	f.counts["cases"] = int(k - *from)
	for _, d := range f.differ {
		f.counts["differs: "+d.name] = d.seen
	}
	b, _ := json.Marshal(f.counts)
	fmt.Printf("DONE %d %s\n", k, b)
	if bad > 0 {
		os.Exit(1)
	}
}

func short(b []byte) string {
	if len(b) > 600 {
		return hex.EncodeToString(b[:600]) + "..."
	}
	return hex.EncodeToString(b)
}
