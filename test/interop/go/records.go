package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/naming/endpoints"
)

// listCommand prints what endpoints.Manager.List returns, as one event.
func listCommand(_ *flag.FlagSet) func(context.Context, *common) error {
	return func(ctx context.Context, common *common) error {
		manager, err := endpoints.NewManager(common.etcd, common.service)
		if err != nil {
			return err
		}
		list, err := manager.List(ctx)
		if err != nil {
			return err
		}
		emit(event{"event": "list", "endpoints": list})
		return nil
	}
}

// watchCommand prints every batch of updates that endpoints.Manager.NewWatchChannel delivers, the first of which is
// the list at the start.
func watchCommand(_ *flag.FlagSet) func(context.Context, *common) error {
	return func(ctx context.Context, common *common) error {
		manager, err := endpoints.NewManager(common.etcd, common.service)
		if err != nil {
			return err
		}
		batches, err := manager.NewWatchChannel(ctx)
		if err != nil {
			return err
		}
		emit(event{"event": "watching", "service": common.service})
		for {
			select {
			case <-ctx.Done():
				return nil
			case batch, open := <-batches:
				if !open {
					if ctx.Err() != nil {
						return nil
					}
					return errors.New("the watch channel was closed")
				}
				updates := make([]event, 0, len(batch))
				for _, update := range batch {
					operation := "add"
					if update.Op == endpoints.Delete {
						operation = "delete"
					}
					updates = append(updates, event{
						"op": operation, "key": update.Key,
						"addr": update.Endpoint.Addr, "metadata": update.Endpoint.Metadata,
					})
				}
				emit(event{"event": "updates", "updates": updates})
			}
		}
	}
}

// putCommand writes one record through endpoints.Manager.AddEndpoint.
func putCommand(flags *flag.FlagSet) func(context.Context, *common) error {
	key := flags.String("key", "", "whole key of the record; SERVICE/ADDR by default")
	addr := flags.String("addr", "", "address of the endpoint")
	metadata := flags.String("metadata", "null", "metadata of the endpoint, as JSON")
	return func(ctx context.Context, common *common) error {
		var value any
		if err := json.Unmarshal([]byte(*metadata), &value); err != nil {
			return fmt.Errorf("--metadata: %w", err)
		}
		if *key == "" {
			*key = common.service + "/" + *addr
		}
		manager, err := endpoints.NewManager(common.etcd, common.service)
		if err != nil {
			return err
		}
		if err := manager.AddEndpoint(ctx, *key, endpoints.Endpoint{Addr: *addr, Metadata: value}); err != nil {
			return err
		}
		emit(event{"event": "put", "key": *key})
		return nil
	}
}

// deleteCommand removes one record through endpoints.Manager.DeleteEndpoint.
func deleteCommand(flags *flag.FlagSet) func(context.Context, *common) error {
	key := flags.String("key", "", "whole key of the record")
	return func(ctx context.Context, common *common) error {
		manager, err := endpoints.NewManager(common.etcd, common.service)
		if err != nil {
			return err
		}
		if err := manager.DeleteEndpoint(ctx, *key); err != nil {
			return err
		}
		emit(event{"event": "deleted", "key": *key})
		return nil
	}
}

// getCommand prints the raw records under SERVICE/, in the order of their keys: the bytes in base64, the lease as text.
func getCommand(_ *flag.FlagSet) func(context.Context, *common) error {
	return func(ctx context.Context, common *common) error {
		response, err := common.etcd.Get(ctx, common.service+"/", clientv3.WithPrefix())
		if err != nil {
			return err
		}
		records := make([]event, 0, len(response.Kvs))
		for _, kv := range response.Kvs {
			records = append(records, event{
				"key": string(kv.Key), "valueBase64": kv.Value, "lease": fmt.Sprintf("%d", kv.Lease),
			})
		}
		emit(event{"event": "records", "records": records})
		return nil
	}
}
