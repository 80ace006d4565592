package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/client/v3/naming/resolver"
	"google.golang.org/grpc"
	_ "google.golang.org/grpc/balancer/leastrequest" // registers least_request_experimental
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"interop/userpb"
)

// tally counts the outcomes of calls.
type tally struct {
	lock     sync.Mutex
	calls    int
	failed   int
	byServer map[string]int
	byCode   map[string]int

	failing     bool
	lastFailure time.Time
	recovered   time.Time
}

func newTally() *tally {
	return &tally{byServer: map[string]int{}, byCode: map[string]int{}}
}

func (t *tally) add(server string, err error) {
	t.lock.Lock()
	defer t.lock.Unlock()
	t.calls++
	if err != nil {
		t.failed++
		t.byCode[status.Code(err).String()]++
		t.failing = true
		t.lastFailure = time.Now()
		return
	}
	t.byServer[server]++
	if t.failing {
		t.failing = false
		t.recovered = time.Now()
	}
}

func (t *tally) servers() int {
	t.lock.Lock()
	defer t.lock.Unlock()
	return len(t.byServer)
}

// event is the state so far. Its maps are copies.
func (t *tally) event(name string) event {
	t.lock.Lock()
	defer t.lock.Unlock()
	counts := event{
		"event":    name,
		"calls":    t.calls,
		"failed":   t.failed,
		"byServer": maps.Clone(t.byServer),
		"byCode":   maps.Clone(t.byCode),
	}
	if !t.lastFailure.IsZero() {
		counts["lastFailureMs"] = t.lastFailure.UnixMilli()
	}
	if !t.recovered.IsZero() {
		counts["recoveredMs"] = t.recovered.UnixMilli()
	}
	return counts
}

// invoke makes one call of a method, a stream to its end, and returns who answered.
func invoke(ctx context.Context, users userpb.UserClient, method string, holdMs int) (string, error) {
	request := &userpb.UserRequest{Name: "张三", Password: "111111", HoldMs: int32(holdMs)}
	switch method {
	case "watch":
		stream, err := users.Watch(ctx, request)
		if err != nil {
			return "", err
		}
		server := ""
		for {
			response, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				return server, nil
			}
			if err != nil {
				return "", err
			}
			server = response.GetServer()
		}
	case "find":
		response, err := users.Find(ctx, request)
		return response.GetServer(), err
	default:
		response, err := users.Login(ctx, request)
		return response.GetServer(), err
	}
}

// retryFind is what a Go user writes to have an idempotent method retried.
const retryFind = `,"methodConfig":[{"name":[{"service":"user.User","method":"Find"}],"retryPolicy":{"maxAttempts":4,` +
	`"initialBackoff":"0.02s","maxBackoff":"1s","backoffMultiplier":2,"retryableStatusCodes":["UNAVAILABLE"]}}]`

// clientCommand calls User over etcd:///SERVICE and counts who answered.
func clientCommand(flags *flag.FlagSet) func(context.Context, *common) error {
	calls := flags.Int("calls", 1, "how many calls to make")
	concurrency := flags.Int("concurrency", 1, "how many calls to have in flight")
	forever := flags.Bool("forever", false, "call until stopped, with a tick event every 100 ms")
	intervalMs := flags.Int("interval-ms", 5, "pause between two calls with --forever, in milliseconds")
	policy := flags.String("policy", "round_robin", "load balancing policy of grpc-go")
	warm := flags.Int("warm", 0, "before the counting starts, call login until so many servers have answered")
	timeoutMs := flags.Int("timeout-ms", 5000, "deadline of a call, in milliseconds")
	method := flags.String("method", "login", "login, find or watch")
	holdMs := flags.Int("hold-ms", 0, "how long a call takes at the server, in milliseconds")
	retry := flags.Bool("retry", false, "retry find after UNAVAILABLE")
	keepaliveMs := flags.Int("keepalive-ms", 0, "ping after so many milliseconds; grpc-go takes 10,000 at least; 0: never")
	return func(ctx context.Context, common *common) error {
		builder, err := resolver.NewBuilder(common.etcd)
		if err != nil {
			return err
		}
		retries := ""
		if *retry {
			retries = retryFind
		}
		options := []grpc.DialOption{
			grpc.WithResolvers(builder),
			grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithDefaultServiceConfig(fmt.Sprintf(`{"loadBalancingConfig":[{%q:{}}]%s}`, *policy, retries)),
		}
		if *keepaliveMs > 0 {
			time := time.Duration(*keepaliveMs) * time.Millisecond
			options = append(options, grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: time, Timeout: time}))
		}
		conn, err := grpc.NewClient("etcd:///"+common.service, options...)
		if err != nil {
			return err
		}
		defer conn.Close()
		users := userpb.NewUserClient(conn)

		// The call that a stop interrupts is not counted: it says nothing about the servers.
		call := func(into *tally, method string, holdMs int) {
			limited, cancel := context.WithTimeout(ctx, time.Duration(*timeoutMs)*time.Millisecond)
			defer cancel()
			server, err := invoke(limited, users, method, holdMs)
			if err != nil && ctx.Err() != nil {
				return
			}
			into.add(server, err)
		}

		if *warm > 0 {
			warming := newTally()
			for ctx.Err() == nil && warming.servers() < *warm {
				call(warming, "login", 0)
				pause(ctx, time.Millisecond)
			}
			emit(warming.event("warm"))
		}

		counted := newTally()
		started := time.Now()
		stopTicks := func() {}
		if *forever {
			stopTicks = tick(ctx, counted)
		}
		var issued atomic.Int64
		var workers sync.WaitGroup
		for range *concurrency {
			workers.Go(func() {
				for ctx.Err() == nil && (*forever || issued.Add(1) <= int64(*calls)) {
					call(counted, *method, *holdMs)
					if *forever {
						pause(ctx, time.Duration(*intervalMs)*time.Millisecond)
					}
				}
			})
		}
		workers.Wait()
		stopTicks()
		done := counted.event("done")
		done["elapsedMs"] = float64(time.Since(started).Microseconds()) / 1000
		emit(done)
		return nil
	}
}

// tick prints the tally every 100 ms until the returned function is called; no tick follows that call.
func tick(ctx context.Context, counted *tally) (stop func()) {
	ticking, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(100 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				emit(counted.event("tick"))
			case <-ticking.Done():
				return
			}
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

// pause waits, or returns at once when the context ends.
func pause(ctx context.Context, duration time.Duration) {
	if duration <= 0 {
		return
	}
	timer := time.NewTimer(duration)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
