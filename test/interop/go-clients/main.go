// Command client calls user.User/Login over etcd:///SERVICE until it is stopped, with whichever grpc-go and etcd client a
// module of versions/ pins. It prints one JSON event per line as the program in ../go does, and ends on SIGTERM or at the end
// of its standard input.
//
// It has no generated code: what protoc generates today needs a grpc-go of today.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/naming/resolver"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
)

// login is a UserRequest whose field 1, name, is "go".
var login = protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), "go")

// serverField is the number of UserResponse.server.
const serverField = 2

// raw takes messages as they are on the wire.
type raw struct{}

func (raw) Marshal(message interface{}) ([]byte, error) { return message.([]byte), nil }

func (raw) Unmarshal(data []byte, message interface{}) error {
	*message.(*[]byte) = append([]byte(nil), data...)
	return nil
}

func (raw) Name() string { return "proto" }

// tally counts the outcomes of calls.
type tally struct {
	lock     sync.Mutex
	calls    int
	failed   int
	byServer map[string]int
	byCode   map[string]int
	texts    map[string]int
}

func newTally() *tally {
	return &tally{byServer: map[string]int{}, byCode: map[string]int{}, texts: map[string]int{}}
}

func (t *tally) add(server string, err error) {
	t.lock.Lock()
	defer t.lock.Unlock()
	t.calls++
	if err == nil {
		t.byServer[server]++
		return
	}
	t.failed++
	t.byCode[status.Code(err).String()]++
	t.texts[err.Error()]++
}

// emit prints the counts so far as one line.
func (t *tally) emit(name string) {
	t.lock.Lock()
	defer t.lock.Unlock()
	emit(map[string]interface{}{
		"event": name, "calls": t.calls, "failed": t.failed,
		"byServer": t.byServer, "byCode": t.byCode, "texts": t.texts,
	})
}

var output sync.Mutex

func emit(event map[string]interface{}) {
	line, err := json.Marshal(event)
	if err != nil {
		panic(err)
	}
	output.Lock()
	defer output.Unlock()
	_, _ = os.Stdout.Write(append(line, '\n'))
}

func main() {
	if err := run(); err != nil {
		emit(map[string]interface{}{"event": "error", "message": err.Error()})
		os.Exit(1)
	}
}

func run() error {
	url := flag.String("etcd", "http://127.0.0.1:2379", "client URLs of etcd, with commas between")
	service := flag.String("service", "api", "name of the service")
	policy := flag.String("policy", "round_robin", "load balancing policy of grpc-go")
	intervalMs := flag.Int("interval-ms", 10, "pause between two calls, in milliseconds")
	timeoutMs := flag.Int("timeout-ms", 30000, "deadline of a call, in milliseconds")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()

	etcd, err := clientv3.New(clientv3.Config{
		Endpoints:   strings.Split(*url, ","),
		DialTimeout: 5 * time.Second,
		Logger:      zap.NewNop(),
	})
	if err != nil {
		return err
	}
	defer etcd.Close()
	builder, err := resolver.NewBuilder(etcd)
	if err != nil {
		return err
	}
	conn, err := grpc.Dial("etcd:///"+*service,
		grpc.WithResolvers(builder),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(fmt.Sprintf(`{"loadBalancingConfig":[{%q:{}}]}`, *policy)))
	if err != nil {
		return err
	}
	defer conn.Close()

	counted := newTally()
	go func() {
		for ctx.Err() == nil {
			pause(ctx, 100*time.Millisecond)
			counted.emit("tick")
		}
	}()
	emit(map[string]interface{}{"event": "calling", "grpc": grpc.Version})
	for ctx.Err() == nil {
		// A call under way when the client is stopped is finished, and counted as it ends.
		limited, cancel := context.WithTimeout(context.Background(), time.Duration(*timeoutMs)*time.Millisecond)
		counted.add(call(limited, conn))
		cancel()
		pause(ctx, time.Duration(*intervalMs)*time.Millisecond)
	}
	counted.emit("done")
	return nil
}

// call makes one call and returns which server answered.
func call(ctx context.Context, conn *grpc.ClientConn) (string, error) {
	var answer []byte
	if err := conn.Invoke(ctx, "/user.User/Login", login, &answer, grpc.ForceCodec(raw{})); err != nil {
		return "", err
	}
	for len(answer) > 0 {
		number, kind, length := protowire.ConsumeTag(answer)
		if length < 0 {
			return "", protowire.ParseError(length)
		}
		answer = answer[length:]
		if number == serverField && kind == protowire.BytesType {
			server, size := protowire.ConsumeString(answer)
			return server, protowire.ParseError(size)
		}
		size := protowire.ConsumeFieldValue(number, kind, answer)
		if size < 0 {
			return "", protowire.ParseError(size)
		}
		answer = answer[size:]
	}
	return "", errors.New("the answer names no server")
}

func pause(ctx context.Context, duration time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(duration):
	}
}
