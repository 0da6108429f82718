package main

import (
	"context"
	"io"
	"net"
	"sync/atomic"
)

// front stands before the doors, as a Kubernetes Service does: agents and LiveKit call its address,
// and each connection goes on to the next door that takes it.
type front struct {
	listener net.Listener
	doors    []string // addresses
	taken    atomic.Uint64
}

func newFront(ctx context.Context, addr string, doors []string) (*front, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	f := &front{listener: l, doors: doors}
	go f.serve(ctx)
	return f, nil
}

// serve takes connections until the front is closed.
func (f *front) serve(ctx context.Context) {
	for {
		client, err := f.listener.Accept()
		if err != nil {
			return
		}
		go f.lead(ctx, client)
	}
}

// lead copies between a client and a door until one of them ends the connection. If no door takes
// it, it is cut.
func (f *front) lead(ctx context.Context, client net.Conn) {
	defer func() { _ = client.Close() }() // one end of it is already closed
	door := f.dial(ctx)
	if door == nil {
		return
	}
	defer func() { _ = door.Close() }()
	over := make(chan struct{}, 2)
	pass := func(to, from net.Conn) {
		_, _ = io.Copy(to, from) // a kill is an error here, and the end of it
		over <- struct{}{}
	}
	go pass(door, client)
	go pass(client, door)
	<-over
}

// dial connects to the door whose turn it is, or else to another one; nil if none is there.
func (f *front) dial(ctx context.Context) net.Conn {
	turn := f.taken.Add(1)
	for i := range f.doors {
		at := (turn + uint64(i)) % uint64(len(f.doors))
		if door, err := new(net.Dialer).DialContext(ctx, "tcp", f.doors[at]); err == nil {
			return door
		}
	}
	return nil
}

func (f *front) close() { _ = f.listener.Close() }
