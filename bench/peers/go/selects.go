package main

import (
	"fmt"
	"sync"
	"time"
)

func registerSelects() {
	for _, s := range []struct {
		k    int
		recv func(c []chan int64) int64
	}{{2, recv2}, {8, recv8}, {64, recv64}} {
		k, recv := s.k, s.recv
		for _, form := range []string{"", "-cases"} { // an array and a list of cases are one thing here
			ready, blocked := fmt.Sprint("select-ready-", k, form), fmt.Sprint("select-blocked-", k, form)
			register(ready, 2000000/k, func(n int) { selectReady(ready, n, k, recv) })
			register(blocked, 2000000/k, func(n int) { selectBlocked(blocked, n, k, recv) })
		}
	}
}

// One element is put into one of k channels with room for it, and a select over all of them finds it.
func selectReady(name string, n, k int, recv func(c []chan int64) int64) {
	c := make([]chan int64, k)
	for i := range c {
		c[i] = make(chan int64, 1)
	}
	sum := int64(0)
	start := time.Now()
	for i := 0; i < n; i++ {
		c[i%k] <- int64(i)
		sum += recv(c)
	}
	per(name, start, n)
	if want := int64(n) * int64(n-1) / 2; sum != want {
		wrong("%s: the sum is %d, not %d", name, sum, want)
	}
}

func sendAround(c []chan int64, n int, wg *sync.WaitGroup) {
	for i := 0; i < n; i++ {
		c[i%len(c)] <- int64(i)
	}
	wg.Done()
}

func selectBlocked(name string, n, k int, recv func(c []chan int64) int64) {
	c := make([]chan int64, k)
	for i := range c {
		c[i] = make(chan int64)
	}
	var wg sync.WaitGroup
	wg.Add(1)
	sum := int64(0)
	start := time.Now()
	go sendAround(c, n, &wg)
	for i := 0; i < n; i++ {
		sum += recv(c)
	}
	wg.Wait()
	per(name, start, n)
	if want := int64(n) * int64(n-1) / 2; sum != want {
		wrong("%s: the sum is %d, not %d", name, sum, want)
	}
}

func recv2(c []chan int64) (v int64) {
	select {
	case v = <-c[0]:
	case v = <-c[1]:
	}
	return
}

func recv8(c []chan int64) (v int64) {
	select {
	case v = <-c[0]:
	case v = <-c[1]:
	case v = <-c[2]:
	case v = <-c[3]:
	case v = <-c[4]:
	case v = <-c[5]:
	case v = <-c[6]:
	case v = <-c[7]:
	}
	return
}

// A statement of 64 cases is three times as fast as reflect.Select over an array.
func recv64(c []chan int64) (v int64) {
	select {
	case v = <-c[0]:
	case v = <-c[1]:
	case v = <-c[2]:
	case v = <-c[3]:
	case v = <-c[4]:
	case v = <-c[5]:
	case v = <-c[6]:
	case v = <-c[7]:
	case v = <-c[8]:
	case v = <-c[9]:
	case v = <-c[10]:
	case v = <-c[11]:
	case v = <-c[12]:
	case v = <-c[13]:
	case v = <-c[14]:
	case v = <-c[15]:
	case v = <-c[16]:
	case v = <-c[17]:
	case v = <-c[18]:
	case v = <-c[19]:
	case v = <-c[20]:
	case v = <-c[21]:
	case v = <-c[22]:
	case v = <-c[23]:
	case v = <-c[24]:
	case v = <-c[25]:
	case v = <-c[26]:
	case v = <-c[27]:
	case v = <-c[28]:
	case v = <-c[29]:
	case v = <-c[30]:
	case v = <-c[31]:
	case v = <-c[32]:
	case v = <-c[33]:
	case v = <-c[34]:
	case v = <-c[35]:
	case v = <-c[36]:
	case v = <-c[37]:
	case v = <-c[38]:
	case v = <-c[39]:
	case v = <-c[40]:
	case v = <-c[41]:
	case v = <-c[42]:
	case v = <-c[43]:
	case v = <-c[44]:
	case v = <-c[45]:
	case v = <-c[46]:
	case v = <-c[47]:
	case v = <-c[48]:
	case v = <-c[49]:
	case v = <-c[50]:
	case v = <-c[51]:
	case v = <-c[52]:
	case v = <-c[53]:
	case v = <-c[54]:
	case v = <-c[55]:
	case v = <-c[56]:
	case v = <-c[57]:
	case v = <-c[58]:
	case v = <-c[59]:
	case v = <-c[60]:
	case v = <-c[61]:
	case v = <-c[62]:
	case v = <-c[63]:
	}
	return
}
