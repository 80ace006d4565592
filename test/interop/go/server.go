package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/naming/endpoints"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"interop/userpb"
)

// userServer answers as the server it is named after.
type userServer struct {
	userpb.UnimplementedUserServer
	name     string
	delay    time.Duration
	served   atomic.Int64
	stopping context.Context
}

func (s *userServer) answer(request *userpb.UserRequest) *userpb.UserResponse {
	s.served.Add(1)
	return &userpb.UserResponse{
		Message: fmt.Sprintf("%s: welcome %s", s.name, request.GetName()),
		Server:  s.name,
	}
}

// hold is how long a call is to take.
func (s *userServer) hold(request *userpb.UserRequest) time.Duration {
	if request.GetHoldMs() > 0 {
		return time.Duration(request.GetHoldMs()) * time.Millisecond
	}
	return s.delay
}

// Find answers as Login does; the proto says that it may be called twice.
func (s *userServer) Find(ctx context.Context, request *userpb.UserRequest) (*userpb.UserResponse, error) {
	return s.Login(ctx, request)
}

// Login answers after the configured delay.
func (s *userServer) Login(ctx context.Context, request *userpb.UserRequest) (*userpb.UserResponse, error) {
	if delay := s.hold(request); delay > 0 {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return s.answer(request), nil
}

// Watch answers once and then keeps the stream open as long as it is asked to: by default until the client leaves or the
// server stops.
func (s *userServer) Watch(request *userpb.UserRequest, stream grpc.ServerStreamingServer[userpb.UserResponse]) error {
	if err := stream.Send(s.answer(request)); err != nil {
		return err
	}
	stopping, over := s.stopping.Done(), (<-chan time.Time)(nil)
	if request.GetHoldMs() > 0 {
		stopping, over = nil, time.After(time.Duration(request.GetHoldMs())*time.Millisecond)
	}
	select {
	case <-stream.Context().Done():
		return stream.Context().Err()
	case <-over:
		return nil
	case <-stopping:
		return nil
	}
}

// serverCommand serves User and keeps the endpoint in etcd under a lease, the way the tutorials of etcd do.
func serverCommand(flags *flag.FlagSet) func(context.Context, *common) error {
	addr := flags.String("addr", "127.0.0.1:0", "address to listen on, and to register once bound")
	ttl := flags.Int64("ttl", 10, "time to live of the lease, in seconds")
	id := flags.String("id", "go", "name of this server, in its answers")
	delayMs := flags.Int("delay-ms", 0, "how long an answer takes, in milliseconds")
	maxAgeMs := flags.Int("max-age-ms", 0, "maximum age of connections, in milliseconds; 0: none")
	metadata := flags.String("metadata", "null", "metadata of the endpoint, as JSON")
	return func(ctx context.Context, common *common) error {
		var value any
		if err := json.Unmarshal([]byte(*metadata), &value); err != nil {
			return fmt.Errorf("--metadata: %w", err)
		}
		listener, err := net.Listen("tcp", *addr)
		if err != nil {
			return err
		}
		bound := listener.Addr().String()
		service := &userServer{name: *id, delay: time.Duration(*delayMs) * time.Millisecond, stopping: ctx}
		options := []grpc.ServerOption{}
		if *maxAgeMs > 0 {
			age := time.Duration(*maxAgeMs) * time.Millisecond
			options = append(options, grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionAge: age}))
		}
		server := grpc.NewServer(options...)
		userpb.RegisterUserServer(server, service)
		served := make(chan error, 1)
		go func() { served <- server.Serve(listener) }()
		defer server.Stop()
		emit(event{"event": "listening", "addr": bound})

		manager, err := endpoints.NewManager(common.etcd, common.service)
		if err != nil {
			return err
		}
		lease, err := common.etcd.Grant(ctx, *ttl)
		if err != nil {
			return err
		}
		key := common.service + "/" + bound
		endpoint := endpoints.Endpoint{Addr: bound, Metadata: value}
		if err := manager.AddEndpoint(ctx, key, endpoint, clientv3.WithLease(lease.ID)); err != nil {
			return err
		}
		alive, err := common.etcd.KeepAlive(ctx, lease.ID)
		if err != nil {
			return err
		}
		go func() {
			for range alive {
			}
			if ctx.Err() == nil {
				emit(event{"event": "keepalive-lost", "key": key})
			}
		}()
		emit(event{"event": "registered", "key": key, "lease": fmt.Sprintf("%d", lease.ID)})

		select {
		case err := <-served:
			return err
		case <-ctx.Done():
		}

		// The deadline lets the server end while etcd is away.
		leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		if err := manager.DeleteEndpoint(leaving, key); err != nil {
			emit(event{"event": "unregister-failed", "key": key, "message": err.Error()})
		} else {
			emit(event{"event": "unregistered", "key": key})
		}
		_, _ = common.etcd.Revoke(leaving, lease.ID)
		server.GracefulStop()
		emit(event{"event": "stopped", "served": service.served.Load()})
		return nil
	}
}
