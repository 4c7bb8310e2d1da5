// Command pulumi-language-python is the language host that the Pulumi CLI starts to run programs written in Python.
//
// It serves the LanguageRuntime service on a port of its own choice, prints that port, and runs every program in a
// fresh Python process. The files beside this one find Python and its packages, and run the program inside Python.
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
)

// maxMessage admits whatever the engine sends: it caps its own messages at 400 MB.
const maxMessage = 1 << 30

// host implements the LanguageRuntime service.
type host struct {
	pulumirpc.UnimplementedLanguageRuntimeServer

	engine string          // address of the engine, for messages
	ctx    context.Context // done when the host is told to end: every process it started ends with it
	end    func()
}

func main() {
	log.SetFlags(0)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatalf("pulumi-language-python: %v", err)
	}
	server := grpc.NewServer(grpc.MaxRecvMsgSize(maxMessage), grpc.MaxSendMsgSize(maxMessage))
	ctx, cancel := context.WithCancel(context.Background())
	h := &host{ctx: ctx, end: func() {
		cancel()
		// The engine kills a host after 5 s; an answer that nobody reads must not take that long.
		time.AfterFunc(2*time.Second, func() { os.Exit(0) })
		server.GracefulStop()
	}}
	if len(os.Args) > 1 {
		h.engine = os.Args[len(os.Args)-1]
	}
	pulumirpc.RegisterLanguageRuntimeServer(server, h)

	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		h.end()
	}()
	go h.endWithEngine()

	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	if err := server.Serve(listener); err != nil {
		log.Fatalf("pulumi-language-python: %v", err)
	}
}

// endWithEngine ends the host when the engine is gone. The engine holds the other end of the host's stdin, if that is
// a pipe, and never writes to it.
func (h *host) endWithEngine() {
	if info, err := os.Stdin.Stat(); err != nil || info.Mode()&os.ModeNamedPipe == 0 {
		return
	}
	buffer := make([]byte, 1)
	for {
		if _, err := os.Stdin.Read(buffer); err != nil {
			h.end()
			return
		}
	}
}

func (h *host) Handshake(
	_ context.Context, req *pulumirpc.LanguageHandshakeRequest,
) (*pulumirpc.LanguageHandshakeResponse, error) {
	h.engine = req.EngineAddress
	return &pulumirpc.LanguageHandshakeResponse{}, nil
}

func (h *host) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	info := &pulumirpc.PluginInfo{}
	if build, ok := debug.ReadBuildInfo(); ok {
		for _, dependency := range build.Deps {
			if dependency.Path == "github.com/pulumi/pulumi/sdk/v3" {
				info.Version = dependency.Version // the protocol's
			}
		}
	}
	return info, nil
}

func (h *host) RuntimeOptionsPrompts(
	context.Context, *pulumirpc.RuntimeOptionsRequest,
) (*pulumirpc.RuntimeOptionsResponse, error) {
	return &pulumirpc.RuntimeOptionsResponse{}, nil
}

func (h *host) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	go h.end() // it waits for this answer
	return &emptypb.Empty{}, nil
}

func (h *host) About(_ context.Context, req *pulumirpc.AboutRequest) (*pulumirpc.AboutResponse, error) {
	py, err := findPython(req.Info, false)
	if err != nil {
		return nil, err
	}
	return &pulumirpc.AboutResponse{Executable: py.executable, Version: py.version()}, nil
}

func (h *host) GetRequiredPackages(
	_ context.Context, req *pulumirpc.GetRequiredPackagesRequest,
) (*pulumirpc.GetRequiredPackagesResponse, error) {
	py, err := findPython(req.Info, false)
	if err != nil {
		return nil, err
	}
	packages, err := py.plugins()
	return &pulumirpc.GetRequiredPackagesResponse{Packages: packages}, err
}

func (h *host) GetProgramDependencies(
	_ context.Context, req *pulumirpc.GetProgramDependenciesRequest,
) (*pulumirpc.GetProgramDependenciesResponse, error) {
	py, err := findPython(req.Info, false)
	if err != nil {
		return nil, err
	}
	return &pulumirpc.GetProgramDependenciesResponse{Dependencies: py.distributions(req.TransitiveDependencies)}, nil
}
