// Command pulumi-resource-faultcloud is a resource provider whose cloud is a
// directory and whose calls fail, stall or crash on demand. See README.md.
package main

import (
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
)

// Version is set by the linker: -ldflags "-X main.Version=1.1.0".
var Version = "1.0.0"

func main() {
	c := &cloud{}
	if err := c.use(os.Getenv("FAULTCLOUD_DIR")); err != nil {
		fmt.Fprintln(os.Stderr, "faultcloud:", err)
		os.Exit(1)
	}
	p := newProvider(c)
	for _, arg := range os.Args[1:] {
		if !strings.HasPrefix(arg, "-") {
			p.engine.set(arg)
		}
	}
	c.note(entry{Phase: "start", Method: "start", Version: Version, Note: strings.Join(os.Args[1:], " ")})

	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, "faultcloud:", err)
		os.Exit(1)
	}
	const limit = 400 << 20
	server := grpc.NewServer(grpc.MaxRecvMsgSize(limit), grpc.MaxSendMsgSize(limit))
	pulumirpc.RegisterResourceProviderServer(server, p)

	go p.watchSignals()
	go p.watchParent(os.Getppid())

	fmt.Println(lis.Addr().(*net.TCPAddr).Port)
	if err := server.Serve(lis); err != nil {
		fmt.Fprintln(os.Stderr, "faultcloud:", err)
		os.Exit(1)
	}
}

// watchSignals ends the process on the first interrupt, unless a call stalls:
// a stalled plugin has to be killed.
func (p *provider) watchSignals() {
	ch := make(chan os.Signal, 8)
	signal.Notify(ch, os.Interrupt, syscall.SIGTERM)
	for s := range ch {
		stalled := p.stalled.Load() > 0
		note := s.String()
		if stalled {
			note += ", ignored: a call stalls"
		}
		p.cloud.note(entry{Phase: "note", Method: "signal", Note: note})
		if !stalled {
			os.Exit(0)
		}
	}
}

// watchParent ends the process some time after its parent died, so that a
// killed engine leaves no plugins behind while calls under way can still have
// their effect, as they would in a real cloud.
func (p *provider) watchParent(parent int) {
	grace := 3 * time.Second
	if ms, ok := num(os.Getenv("FAULTCLOUD_ORPHAN_MS")); ok {
		grace = time.Duration(ms) * time.Millisecond
	}
	for os.Getppid() == parent {
		time.Sleep(200 * time.Millisecond)
	}
	p.cloud.note(entry{Phase: "note", Method: "orphaned"})
	time.Sleep(grace)
	os.Exit(1)
}
