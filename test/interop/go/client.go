package main

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/client/v3/naming/resolver"
	"google.golang.org/grpc"
	_ "google.golang.org/grpc/balancer/leastrequest" // registers least_request_experimental
	"google.golang.org/grpc/credentials/insecure"
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
		return
	}
	t.byServer[server]++
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
	return event{
		"event":    name,
		"calls":    t.calls,
		"failed":   t.failed,
		"byServer": maps.Clone(t.byServer),
		"byCode":   maps.Clone(t.byCode),
	}
}

// clientCommand calls User.Login over etcd:///SERVICE and counts who answered.
func clientCommand(flags *flag.FlagSet) func(context.Context, *common) error {
	calls := flags.Int("calls", 1, "how many calls to make")
	concurrency := flags.Int("concurrency", 1, "how many calls to have in flight")
	forever := flags.Bool("forever", false, "call until stopped, with a tick event every 100 ms")
	intervalMs := flags.Int("interval-ms", 5, "pause between two calls with --forever, in milliseconds")
	policy := flags.String("policy", "round_robin", "load balancing policy of grpc-go")
	warm := flags.Int("warm", 0, "before the counting starts, call until so many servers have answered")
	timeoutMs := flags.Int("timeout-ms", 5000, "deadline of a call, in milliseconds")
	return func(ctx context.Context, common *common) error {
		builder, err := resolver.NewBuilder(common.etcd)
		if err != nil {
			return err
		}
		conn, err := grpc.NewClient("etcd:///"+common.service,
			grpc.WithResolvers(builder),
			grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithDefaultServiceConfig(fmt.Sprintf(`{"loadBalancingConfig":[{%q:{}}]}`, *policy)))
		if err != nil {
			return err
		}
		defer conn.Close()
		users := userpb.NewUserClient(conn)

		// The call that a stop interrupts is not counted: it says nothing about the servers.
		call := func(into *tally) {
			limited, cancel := context.WithTimeout(ctx, time.Duration(*timeoutMs)*time.Millisecond)
			defer cancel()
			response, err := users.Login(limited, &userpb.UserRequest{Name: "张三", Password: "111111"})
			if err != nil && ctx.Err() != nil {
				return
			}
			into.add(response.GetServer(), err)
		}

		if *warm > 0 {
			warming := newTally()
			for ctx.Err() == nil && warming.servers() < *warm {
				call(warming)
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
					call(counted)
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
