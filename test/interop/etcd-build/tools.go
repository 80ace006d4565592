//go:build tools

// Package etcdbuild pins the etcd server and etcdctl that .ci/build-etcd compiles for the tests. It holds no code.
package etcdbuild

import (
	_ "go.etcd.io/etcd/etcdctl/v3"
	_ "go.etcd.io/etcd/server/v3"
)
