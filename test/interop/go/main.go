// Command interop is the Go side of the interoperability tests: a server, a client and a record tool as a Go service
// would have them, on go.etcd.io/etcd/client/v3/naming and grpc-go. Every subcommand prints one JSON event per line on
// its standard output and ends on SIGTERM, SIGINT or the end of its standard input.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// command is one subcommand: it declares its flags and returns what to run once they are parsed.
type command func(flags *flag.FlagSet) func(ctx context.Context, common *common) error

// common is what every subcommand has.
type common struct {
	etcd    *clientv3.Client
	service string
}

var commands = map[string]command{
	"server": serverCommand,
	"client": clientCommand,
	"load":   loadCommand,
	"list":   listCommand,
	"watch":  watchCommand,
	"put":    putCommand,
	"delete": deleteCommand,
	"get":    getCommand,
}

func main() {
	if err := run(); err != nil {
		emit(event{"event": "error", "message": err.Error()})
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		return errors.New("usage: interop server|client|load|list|watch|put|delete|get --etcd URL --service NAME ...")
	}
	flags := flag.NewFlagSet(os.Args[1], flag.ContinueOnError)
	url := flags.String("etcd", "http://127.0.0.1:2379", "client URLs of etcd, with commas between")
	service := flags.String("service", "api", "name of the service")
	action := commands[os.Args[1]](flags)
	if err := flags.Parse(os.Args[2:]); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()

	client, err := clientv3.New(clientv3.Config{
		Endpoints:   strings.Split(*url, ","),
		DialTimeout: 5 * time.Second,
		Logger:      zap.NewNop(),
	})
	if err != nil {
		return err
	}
	defer client.Close()
	err = action(ctx, &common{etcd: client, service: *service})
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
