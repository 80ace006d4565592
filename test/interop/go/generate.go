package main

// Needs protoc with protoc-gen-go v1.36.11 and protoc-gen-go-grpc v1.6.2 on the PATH. The result is committed.
//go:generate protoc -I ../../support/proto --go_out=. --go_opt=module=interop --go-grpc_out=. --go-grpc_opt=module=interop user.proto
