package leat

import (
	"bytes"
	"reflect"
	"time"
)

// A channel as this node has it: its home (up is nil), which owns queue, order and close, or a site of a home elsewhere.  Both may have
// sites behind them (below): a site that has is a relay, and serves the credits that it has as a home serves free slots.
//
// All of it is under the node's lock.  Whoever changes something marks the channel (touch); before the lock is let go of, settle lets
// every such channel do what it can: match, grant, offer, ask, say, close.  So no handler has to know what may follow from it.
type channel struct {
	n        *Node
	d        *desc
	capacity int
	up       *end
	below    map[*end]bool
	queue    []reflect.Value
	recvq    []*waiter
	sendq    []*waiter
	handles  int  // send handles of this node
	rxGone   bool // the receive handle has been let go of
	leaving  *passed
	dirty    bool

	lentOut    int    // credits out to those below: granted, not used, not returned
	unfinished int    // those below that may still say FINISH
	unsealed   int    // those below that may still send
	needy      []*end // those below that need, in turn
	ownTurn    bool
	hot        *end // of those whose senders wait now and then, who sent or asked last: credits are lent to it

	closing   bool // the home: closed to senders.  A site: SEAL has come
	closeCode Code
	closeSaid bool   // somebody here, or below, has said CLOSE
	torn      *Error // how it ends, instead of CLOSED
	lost      *Error // a site: its home is lost
	certain   bool   // with lost: an offer that was not answered was not taken
	finished  bool   // a site: FINISH is said
	sealedUp  bool   // a site: SEALED is said
	relays    int    // between here and the home
	way       string
	left      int // nodes that the receive end has left
	leftWay   string
	runs      []run // elements that went up and are not accepted yet
	flushes   []*flushing
	asking    []*end // those below that wait for the answer to a try
}

type run struct {
	e     *end // whose it is; nil: of this node
	bytes int
}

type flushing struct {
	target uint64
	wake   chan *Error
}

// A handle is what a program holds of a channel: one of the senders, or the receiver.
type handle struct {
	c     *channel
	rx    bool
	over  bool // finished, or let go of
	moved bool // a receive end that is elsewhere now
}

// A waiter is one end of an operation that waits: here, or an offer of a site below.
type waiter struct {
	op    *operation
	c     *channel
	at    int // which case
	send  bool
	val   reflect.Value
	from  *end // an offer of a site below
	num   uint64
	how   byte // what ELEM said of it
	asked bool // a try: the home is to be asked
	told  bool // and has been: its next answer is also for this one
}

const (
	opOpen = iota
	opTrying
	opDone
)

// An operation is a send, a receive or a select.
type operation struct {
	n      *Node
	ws     []*waiter
	state  int
	fired  int
	err    *Error
	val    reflect.Value
	sel    bool // a select: it offers only when invited
	try    bool // it waits for nobody
	named  bool
	inc    [16]byte
	count  uint64
	leave  bool // it has asked for its offer back
	wake   chan struct{}
	noLink bool // its offer is on a session without a link
}

func newOperation(n *Node) *operation { return &operation{n: n, wake: make(chan struct{})} }

func (c *channel) touch() {
	if !c.dirty {
		c.dirty = true
		c.n.dirty = append(c.n.dirty, c)
	}
}

func newChannel(n *Node, d *desc, capacity int) *channel {
	return &channel{n: n, d: d, capacity: capacity, below: map[*end]bool{}}
}

func (w *waiter) open() bool { return w.op.state == opOpen }

// stand puts a waiter in its line.
func (c *channel) stand(w *waiter) {
	if w.send {
		c.sendq = append(c.sendq, w)
	} else {
		c.recvq = append(c.recvq, w)
	}
	c.touch()
}

func without(q []*waiter, w *waiter) []*waiter {
	for i, x := range q {
		if x == w {
			return append(q[:i], q[i+1:]...)
		}
	}
	return q
}

func (w *waiter) goAway() {
	if w.send {
		w.c.sendq = without(w.c.sendq, w)
	} else {
		w.c.recvq = without(w.c.recvq, w)
	}
	w.c.touch()
}

// fire ends the operation of w: it has happened, or ends with err.
func (w *waiter) fire(err *Error) {
	op := w.op
	if op.state == opDone {
		return
	}
	op.state, op.fired, op.err = opDone, w.at, err
	if !w.send {
		op.val = w.val
	}
	op.remove()
	if w.from != nil {
		switch {
		case err == nil:
			w.from.accepted++
			w.from.answer(kTaken, w.num)
			w.releaseEnds(true)
		case err.Code == Again:
			w.from.answer(kBusy, w.num)
			w.releaseEnds(false)
		default:
			w.from.offering = false
			w.releaseEnds(false)
		}
	}
	close(op.wake)
}

// releaseEnds lets go of the ends in a value that came from below and was passed on, or not taken.
func (w *waiter) releaseEnds(taken bool) {
	if !taken || w.c.up != nil {
		letGoIn(w.c.d, w.val)
	}
}

func (op *operation) remove() {
	for _, w := range op.ws {
		w.goAway()
	}
}

// back is of a select whose offer was not taken: it waits for everything again.
func (op *operation) back() {
	op.state = opOpen
	for _, w := range op.ws {
		w.c.touch()
	}
}

func (op *operation) name() {
	if !op.named {
		op.n.selects++
		op.named, op.inc, op.count = true, op.n.inc, op.n.selects
	}
}

// before compares the names of two selects.
func (op *operation) before(o *operation) bool {
	if c := bytes.Compare(op.inc[:], o.inc[:]); c != 0 {
		return c < 0
	}
	return op.count < o.count
}

// -- what a channel does when something has changed --------------------------------------------------------------------------------

func (c *channel) settle() {
	if c.up == nil {
		if c.capacity == 0 {
			c.meet()
			c.judge()
			c.invite()
		} else {
			c.serve()
			c.deliver()
		}
		c.endHome()
		return
	}
	if c.capacity == 0 {
		c.offer()
	} else {
		c.serve()
		c.giveBack()
	}
	c.endSite()
	c.sayNeed()
}

func (c *channel) free() int {
	if c.up == nil {
		return c.capacity - len(c.queue) - c.lentOut
	}
	if c.lost != nil || c.closing || !c.up.attached {
		return 0
	}
	return int(c.up.granted-c.up.returned-c.up.sent) - c.lentOut
}

func firstOpen(q []*waiter, but *operation) *waiter {
	for _, w := range q {
		if w.open() && w.op != but {
			return w
		}
	}
	return nil
}

// deliver gives what is queued to who receives.
func (c *channel) deliver() {
	for len(c.queue) > 0 {
		w := firstOpen(c.recvq, nil)
		if w == nil {
			return
		}
		w.val = c.queue[0]
		c.queue[0] = reflect.Value{}
		c.queue = c.queue[1:]
		w.fire(nil)
		c.serve()
	}
}

// serve gives free slots, or credits, to who needs one: the senders of this node and those below in turn.
func (c *channel) serve() {
	if c.closing || c.leaving != nil && c.up == nil {
		return
	}
	for c.free() > 0 {
		w, e := c.firstSender(), c.firstNeedy()
		if w == nil && e == nil {
			break
		}
		if w != nil && (e == nil || c.ownTurn) {
			c.ownTurn = false
			c.put(w)
			continue
		}
		c.ownTurn = true
		c.needy = append(c.needy[1:], e)
		c.grant(e, 1)
	}
	if c.up == nil && c.hot != nil {
		c.lend()
	}
	if c.free() <= 0 && c.lentOut > 0 && (c.firstSender() != nil || c.firstNeedy() != nil) {
		c.recall()
	}
}

// firstSender is the first of this node that waits for a slot; a try that has asked goes first, as the answer may be its own.
func (c *channel) firstSender() *waiter {
	for _, w := range c.sendq {
		if w.asked && w.open() {
			return w
		}
	}
	return firstOpen(c.sendq, nil)
}

func (c *channel) firstNeedy() *end {
	for len(c.needy) > 0 {
		if e := c.needy[0]; e.need > 0 && c.below[e] {
			return e
		}
		c.needy[0].inNeedy = false
		c.needy = c.needy[1:]
	}
	return nil
}

func (c *channel) grant(e *end, n int) {
	e.granted += uint64(n)
	c.lentOut += n
	if e.need -= uint64(n); int64(e.need) < 0 {
		e.need = 0
	}
	e.recalled, e.asking = false, false
	e.due(kGrant)
}

// lend gives the site that sent last what nobody has asked for: all slots but one, or all while there is one site.
func (c *channel) lend() {
	most := c.capacity - 1
	if len(c.below) == 1 {
		most = c.capacity
	}
	n := most - c.lentOut
	if f := c.free(); f < n {
		n = f
	}
	if !c.below[c.hot] || c.hot.finished || n <= 0 || n < c.capacity/4 && c.hot.out() > 0 || c.hot.granted == 0 {
		return
	}
	c.grant(c.hot, n)
}

func (c *channel) recall() {
	for e := range c.below {
		if e.out() > 0 && !e.recalled {
			e.recalled = true
			e.due(kRecall)
		}
	}
}

// put takes the value of a sender here into the channel.
func (c *channel) put(w *waiter) {
	if c.up == nil {
		c.queue = append(c.queue, w.val)
		w.fire(nil)
		c.deliver()
		return
	}
	w.fire(c.up.send(w.val, nil))
}

// meet is the rendezvous at home: receivers and senders that are both ready.
func (c *channel) meet() {
	if c.closing {
		return
	}
	for again := true; again; {
		again = false
		for _, r := range c.recvq {
			if !r.open() {
				continue
			}
			if w := c.partner(r); w != nil {
				r.val = w.val
				w.fire(nil)
				r.fire(nil)
				again = true
				break
			}
		}
	}
}

func (c *channel) partner(r *waiter) *waiter {
	if c.leaving != nil {
		return nil
	}
	for _, w := range c.sendq {
		if w.op != r.op && (w.open() || w.from != nil && w.op.state != opDone) {
			return w
		}
	}
	return nil
}

// judge answers the offers at home that wait for nobody, or only for a select of a greater name that has an offer out itself.
func (c *channel) judge() {
	for i := 0; i < len(c.sendq); i++ {
		w := c.sendq[i]
		if w.from == nil || w.how == 2 || w.op.state == opDone {
			continue
		}
		wait := false
		for _, r := range c.recvq {
			wait = wait || w.how == 4 && r.op.state == opTrying && r.op.named && !r.op.noLink && w.op.before(r.op)
		}
		if !wait {
			w.fire(fail(Again, "nobody waits"))
			i = -1
		}
	}
}

// invite tells the sites where selects would send that a receiver is ready.
func (c *channel) invite() {
	var r *waiter
	for _, x := range c.recvq {
		if x.open() && !x.op.try {
			r = x
			break
		}
	}
	if r == nil || c.closing || c.leaving != nil {
		return
	}
	for e := range c.below {
		if e.need > 0 && !e.invited && !e.offering {
			e.invited = true
			e.due(kInvite)
		}
	}
}

// offer makes the next offer of a site, when none is unanswered.
func (c *channel) offer() {
	u := c.up
	for u.attached && !c.closing && c.lost == nil && u.offered == nil {
		w := c.nextOffer()
		if w == nil {
			break
		}
		how := byte(2)
		switch {
		case w.from != nil:
			how = w.how
		case w.op.sel:
			how = 4
			w.op.name()
			u.invited = false
		case w.op.try:
			how = 3
		}
		if err := u.offer(w, how); err != nil {
			w.fire(err)
		}
	}
	for _, w := range append([]*waiter(nil), c.sendq...) {
		if u.offered != nil && u.offered != w && w.open() && w.op.try && w.from == nil {
			w.fire(fail(Again, "another offer of this node is not answered yet"))
		}
	}
	if u.invited && u.offered == nil {
		for e := range c.below {
			if e.need > 0 && !e.invited && !e.offering {
				u.invited = false
				e.invited = true
				e.due(kInvite)
				break
			}
		}
	}
}

func (c *channel) nextOffer() *waiter {
	for _, w := range c.sendq {
		if w.open() && (!w.op.sel || w.from != nil || c.up.invited) {
			return w
		}
	}
	return nil
}

// giveBack returns credits that nobody here needs, when the home has asked for them.
func (c *channel) giveBack() {
	u := c.up
	if !u.recalled || c.closing || c.lost != nil {
		return
	}
	if c.lentOut > 0 {
		c.recall()
	}
	if n := c.free(); n > 0 {
		u.returned += uint64(n)
		u.due(kReturn)
	}
}

// needs is what a site's NEED says: how many senders wait, or selects would send.
func (c *channel) needs() uint64 {
	var n uint64
	for _, w := range c.sendq {
		if w.from == nil && w.op.state != opDone && !w.op.try && (c.capacity > 0 && w.open() || w.op.sel && c.capacity == 0) {
			n++
		}
	}
	for e := range c.below {
		n += e.need
	}
	return n
}

// sayNeed tells the home what it cannot know.
func (c *channel) sayNeed() {
	u := c.up
	if !u.attached || c.closing || c.lost != nil || c.finished {
		return
	}
	n := c.needs()
	if c.capacity == 0 {
		if n != u.needTold {
			u.due(kNeed)
		}
		return
	}
	for _, w := range c.sendq {
		if w.op.try && w.open() && !w.asked {
			w.asked, u.ask = true, true
		}
	}
	believed := int64(u.needTold) - int64(u.granted-u.needSeen)
	if believed < 0 {
		believed = 0
	}
	if n != uint64(believed) && n > 0 || u.ask && !u.askOut {
		u.due(kNeed)
	}
}

// -- ends --------------------------------------------------------------------------------------------

func (c *channel) endWord() *Error {
	switch {
	case c.torn != nil:
		e := *c.torn
		return &e
	case c.closeCode == Gone:
		return fail(Gone, "every receive end is gone")
	}
	return fail(Closed, "the channel is closed")
}

func (c *channel) senderWord() *Error {
	switch {
	case c.lost != nil:
		e := *c.lost
		return &e
	case c.closeCode == Gone:
		return fail(Gone, "every receive end is gone")
	}
	return fail(Closed, "the channel is closed")
}

// seal closes a home to senders, or passes the SEAL of a home on.
func (c *channel) seal(code Code) {
	c.closing, c.closeCode = true, code
	c.touch()
}

func (c *channel) dismissSenders() {
	for _, w := range append([]*waiter(nil), c.sendq...) {
		if w.op.state != opDone {
			w.fire(c.senderWord())
		}
	}
	for e := range c.below {
		if !e.sealSaid && !e.dropped {
			e.sealSaid = true
			e.push(outItem{kind: kSeal, code: c.closeCode})
		}
	}
}

func (c *channel) endHome() {
	if c.leaving != nil {
		return
	}
	if c.rxGone && !(c.closing && c.closeCode == Gone) {
		if c.closing {
			c.closeCode = Gone
		} else {
			c.seal(Gone)
		}
	}
	if !c.closing && (c.closeSaid || c.handles == 0 && c.unfinished == 0) {
		c.seal(Closed)
	}
	if !c.closing {
		return
	}
	c.dismissSenders()
	if c.rxGone {
		for _, v := range c.queue {
			letGoIn(c.d, v)
		}
		c.queue = nil
		for e := range c.below {
			e.maybeFlushed()
		}
	}
	if len(c.queue) == 0 && c.unsealed == 0 {
		for w := firstOpen(c.recvq, nil); w != nil; w = firstOpen(c.recvq, nil) {
			w.fire(c.endWord())
		}
	}
}

func (c *channel) endSite() {
	u := c.up
	if c.lost != nil {
		c.endLostSite()
		return
	}
	if c.closing {
		c.dismissSenders()
		if c.unsealed == 0 && !c.sealedUp && !u.dropped {
			c.sealedUp = true
			u.push(outItem{kind: kSealed})
		}
	}
	if !u.attached || u.pins > 0 || u.dropped {
		return
	}
	if c.handles == 0 && c.unfinished == 0 && len(c.sendq) == 0 && u.offered == nil && !c.finished {
		c.finished = true
		u.push(outItem{kind: kFinish})
	}
	if c.closeSaid && !u.closeSaid {
		u.closeSaid = true
		u.push(outItem{kind: kClose})
	}
	if c.finished && len(c.below) == 0 && c.handles == 0 && len(c.flushes) == 0 && (!u.closeSaid || c.sealedUp) {
		u.dropped = true
		u.push(outItem{kind: kDrop})
	}
}

func (c *channel) endLostSite() {
	for _, w := range append([]*waiter(nil), c.sendq...) {
		if w.op.state == opOpen {
			w.fire(c.senderWord())
		}
	}
	for e := range c.below {
		if !e.lostSaid && !e.dropped {
			e.lostSaid, e.sealSaid = true, true
			e.push(outItem{kind: kSeal, code: PeerLost, text: cut(c.lost.Node, 199), certain: boolByte(!e.offering || c.certain)})
			for _, w := range append([]*waiter(nil), c.sendq...) {
				if w.from == e {
					w.op.state = opDone
					w.op.remove()
					letGoIn(c.d, w.val)
				}
			}
			e.offering = false
		}
	}
	for _, f := range c.flushes {
		f.wake <- c.flushWord()
	}
	c.flushes = nil
}

func (c *channel) flushWord() *Error {
	e := unknown(PeerLost, "%d of the elements sent may not have arrived: %s", c.up.sent-c.up.accepted, c.lost.Detail)
	e.Node = c.lost.Node
	return e
}

func cut(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}

// graceOfAnswers is how long a send that is given up waits to learn what became of it.
const graceOfAnswers = time.Second
