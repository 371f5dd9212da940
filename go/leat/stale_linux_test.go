package leat

import (
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Somebody who listens and takes nobody in, as its queue is full, is still there.
func TestASocketThatIsBusyIsNotTakenForAnOldOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	must(t, err)
	defer syscall.Close(fd)
	must(t, syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}))
	must(t, syscall.Listen(fd, 0))
	for err = nil; err == nil; {
		var c net.Conn
		if c, err = net.Dial("unix", path); err == nil {
			defer c.Close()
		}
	}
	n := Must(Open(Options{}))
	defer n.Close(within(t))
	wants(t, n.Listen("unix:"+path), Sys)
	_, err = os.Lstat(path)
	must(t, err)
}

func TestASocketThatNobodyListensAtIsTakenOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	must(t, err)
	must(t, syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}))
	must(t, syscall.Close(fd))
	n := Must(Open(Options{}))
	defer n.Close(within(t))
	must(t, n.Listen("unix:"+path))
}
