package main

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.etcd.io/etcd/client/v3/naming/resolver"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"interop/userpb"
)

// load counts and times calls.
type load struct {
	*tally
	lock      sync.Mutex
	latencies []float64
	seen      map[string]bool
	// When the last call was sent to each server that is called.
	lastSent map[string]time.Time
}

// quiet is for how long a server is not called until it counts as left.
const quiet = 300 * time.Millisecond

// watchLeft says when the last call was sent to a server that is not called any more.
func (l *load) watchLeft(ctx context.Context) {
	for ctx.Err() == nil {
		pause(ctx, 50*time.Millisecond)
		l.lock.Lock()
		for server, sent := range l.lastSent {
			if time.Since(sent) >= quiet {
				delete(l.lastSent, server)
				emit(event{"event": "left", "server": server, "atMs": float64(sent.UnixMicro()) / 1000})
			}
		}
		l.lock.Unlock()
	}
}

// add takes in one call. The first answer of each server is an event of its own.
func (l *load) add(server string, err error, elapsed time.Duration) {
	l.tally.add(server, err)
	l.lock.Lock()
	defer l.lock.Unlock()
	l.latencies = append(l.latencies, float64(elapsed.Microseconds())/1000)
	if sent := time.Now().Add(-elapsed); err == nil && sent.After(l.lastSent[server]) {
		l.lastSent[server] = sent
	}
	if err == nil && !l.seen[server] {
		l.seen[server] = true
		emit(event{"event": "seen", "server": server, "atMs": float64(time.Now().UnixMicro()) / 1000})
	}
}

// quantile of the latencies so far, in milliseconds.
func (l *load) quantile(q float64) float64 {
	l.lock.Lock()
	defer l.lock.Unlock()
	if len(l.latencies) == 0 {
		return 0
	}
	slices.Sort(l.latencies)
	return l.latencies[int(q*float64(len(l.latencies)-1))]
}

// loadCommand calls User.Login over etcd:///SERVICE for a while, as fast as answers come or at a rate, and times it.
func loadCommand(flags *flag.FlagSet) func(context.Context, *common) error {
	policy := flags.String("policy", "round_robin", "load balancing policy of grpc-go")
	concurrency := flags.Int("concurrency", 32, "calls in flight, without a rate")
	rate := flags.Int("rate", 0, "calls per second, whether or not answers come; 0: as fast as answers come")
	durationMs := flags.Int("duration-ms", 1000, "how long to call, in milliseconds")
	timeoutMs := flags.Int("timeout-ms", 5000, "deadline of a call, in milliseconds")
	warm := flags.Int("warm", 1, "before the counting starts, call until so many servers have answered")
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
		counted := &load{tally: newTally(), seen: map[string]bool{}, lastSent: map[string]time.Time{}}
		go counted.watchLeft(ctx)
		call := func(into func(string, error, time.Duration)) {
			limited, cancel := context.WithTimeout(ctx, time.Duration(*timeoutMs)*time.Millisecond)
			defer cancel()
			started := time.Now()
			server, err := invoke(limited, users, "login", 0)
			into(server, err, time.Since(started))
		}
		warming := newTally()
		for ctx.Err() == nil && warming.servers() < *warm {
			call(func(server string, err error, _ time.Duration) { warming.add(server, err) })
		}
		emit(event{"event": "warm"})

		started := time.Now()
		end := started.Add(time.Duration(*durationMs) * time.Millisecond)
		var workers sync.WaitGroup
		if *rate > 0 {
			for sent := 0; ctx.Err() == nil; sent++ {
				at := started.Add(time.Duration(sent) * time.Second / time.Duration(*rate))
				if at.After(end) {
					break
				}
				pause(ctx, time.Until(at))
				workers.Go(func() { call(counted.add) })
			}
		} else {
			for range *concurrency {
				workers.Go(func() {
					for ctx.Err() == nil && time.Now().Before(end) {
						call(counted.add)
					}
				})
			}
		}
		workers.Wait()
		done := counted.event("done")
		done["elapsedMs"] = float64(time.Since(started).Microseconds()) / 1000
		done["p50Ms"], done["p99Ms"] = counted.quantile(0.5), counted.quantile(0.99)
		emit(done)
		return nil
	}
}
