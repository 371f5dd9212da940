// The same programs with TLS between them, which a relay here ends: leat's side of a link is any stream of bytes.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"net/rpc"
	"time"
)

func certificate() (server, client *tls.Config) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		fatal(err)
	}
	about := x509.Certificate{SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, &about, &about, &key.PublicKey, key)
	if err != nil {
		fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, &tls.Config{RootCAs: roots}
}

type halves interface {
	net.Conn
	CloseWrite() error
}

// relay passes bytes on both ways, and the end of each way.
func relay(l net.Listener, dial func() (net.Conn, error)) {
	for {
		a, err := l.Accept()
		if err != nil {
			return
		}
		b, err := dial()
		if err != nil {
			fatal(err)
		}
		for _, way := range [][2]halves{{a.(halves), b.(halves)}, {b.(halves), a.(halves)}} {
			go func(from, to halves) {
				io.Copy(to, from)
				to.CloseWrite()
			}(way[0], way[1])
		}
	}
}

// callTLS calls a server that knows nothing of TLS through a relay that does.
func callTLS(network, address string) {
	server, client := certificate()
	l, err := tls.Listen("tcp", "127.0.0.1:0", server)
	if err != nil {
		fatal(err)
	}
	go relay(l, func() (net.Conn, error) { return net.Dial(network, address) })
	dial := func() net.Conn {
		c, err := tls.Dial("tcp", l.Addr().String(), client)
		if err != nil {
			fatal(err)
		}
		return c
	}
	call(rpc.NewClient(dial()), rpc.NewClient(dial()))
	halfClose(dial())
}

// serveTLS serves with TLS, behind a relay for clients that know nothing of it.
func serveTLS(l net.Listener) {
	server, client := certificate()
	inner, err := tls.Listen("tcp", "127.0.0.1:0", server)
	if err != nil {
		fatal(err)
	}
	go relay(l, func() (net.Conn, error) { return tls.Dial("tcp", inner.Addr().String(), client) })
	rpc.Accept(inner)
}
