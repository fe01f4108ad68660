// Command pulumi-resource-shapecloud is a resource provider for tests of
// views, parameterized packages and extensions. See README.md.
package main

import (
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
)

// Version is set by the linker: -ldflags "-X main.Version=1.1.0".
var Version = "1.0.0"

func main() {
	dir := os.Getenv("FAULTCLOUD_DIR")
	if dir == "" {
		fmt.Fprintln(os.Stderr, "shapecloud: set FAULTCLOUD_DIR")
		os.Exit(1)
	}
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, "shapecloud:", err)
		os.Exit(1)
	}
	server := grpc.NewServer(grpc.MaxRecvMsgSize(400<<20), grpc.MaxSendMsgSize(400<<20))
	pulumirpc.RegisterResourceProviderServer(server, newProvider(dir))
	go endWith(os.Getppid())
	fmt.Println(lis.Addr().(*net.TCPAddr).Port)
	if err := server.Serve(lis); err != nil {
		fmt.Fprintln(os.Stderr, "shapecloud:", err)
		os.Exit(1)
	}
}

// endWith ends the process on an interrupt, or when its parent has died.
func endWith(parent int) {
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	for os.Getppid() == parent {
		select {
		case <-interrupted:
			os.Exit(0)
		case <-time.After(200 * time.Millisecond):
		}
	}
	os.Exit(1)
}
