package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/proto"
)

// runner is the Python code that runs a program.
//
//go:embed runner.py
var runner string

// command prepares a Python process that ends with the request it serves and with the host: at once, and before it.
func (h *host) command(ctx context.Context, py python, env []string, args ...string) *exec.Cmd {
	ctx, cancel := context.WithCancel(ctx)
	context.AfterFunc(h.ctx, cancel)
	cmd := exec.CommandContext(ctx, py.executable, args...)
	cmd.Env = py.environment(env)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = time.Second // then SIGKILL
	return cmd
}

// Run runs a program in a process of its own. The request goes to its stdin and the answer comes over a further pipe,
// so that what it prints stays what the stack prints.
func (h *host) Run(ctx context.Context, req *pulumirpc.RunRequest) (*pulumirpc.RunResponse, error) {
	py, err := findPython(req.Info, false)
	if err != nil {
		return nil, err
	}
	request, err := proto.Marshal(req)
	if err != nil {
		return nil, err
	}
	answer, theirEnd, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer answer.Close()

	cmd := h.command(ctx, py, os.Environ(), "-u", "-c", runner, h.engine)
	cmd.ExtraFiles = []*os.File{theirEnd}
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	stdin, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	theirEnd.Close()
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", py.executable, err)
	}
	go func() {
		stdin.Write(request) // it fails only for a process that ended, which Wait reports
		stdin.Close()
	}()
	err = cmd.Wait()

	// The answer is a few bytes, in the pipe before the process ended. A process that the program left behind may
	// hold the pipe open, so there may be no end of file to wait for.
	answer.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	content := make([]byte, 64)
	n, readErr := answer.Read(content)
	response := &pulumirpc.RunResponse{}
	switch {
	case h.ctx.Err() != nil || ctx.Err() != nil:
		response.Bail = true // whoever cancelled it knows
	case n > 0:
		if err := proto.Unmarshal(content[:n], response); err != nil {
			return nil, err
		}
	case err != nil:
		response.Error = fmt.Sprintf("the program ended early: %v", err)
	case !errors.Is(readErr, io.EOF):
		return nil, readErr
	}
	return response, nil
}

// RunPlugin runs a plugin from a folder, and streams what it prints.
func (h *host) RunPlugin(req *pulumirpc.RunPluginRequest, server pulumirpc.LanguageRuntime_RunPluginServer) error {
	if req.Kind == "analyzer" {
		return errors.New("policy packs are not supported")
	}
	main := req.Info.ProgramDirectory
	if !isFile(filepath.Join(main, "__main__.py")) {
		return fmt.Errorf("plugin %s has no __main__.py", main)
	}
	py, err := findPython(req.Info, true)
	if err != nil {
		return err
	}
	cmd := h.command(server.Context(), py, append(os.Environ(), req.Env...), append([]string{"-u", main}, req.Args...)...)
	cmd.Dir = req.Pwd
	var lock sync.Mutex
	cmd.Stdout = stream(&lock, func(out []byte) error {
		return server.Send(&pulumirpc.RunPluginResponse{Output: &pulumirpc.RunPluginResponse_Stdout{Stdout: out}})
	})
	cmd.Stderr = stream(&lock, func(out []byte) error {
		return server.Send(&pulumirpc.RunPluginResponse{Output: &pulumirpc.RunPluginResponse_Stderr{Stderr: out}})
	})
	err = cmd.Run()
	if cmd.ProcessState == nil {
		return fmt.Errorf("starting %s: %w", py.executable, err)
	}
	code := int32(cmd.ProcessState.ExitCode())
	return server.Send(&pulumirpc.RunPluginResponse{Output: &pulumirpc.RunPluginResponse_Exitcode{Exitcode: code}})
}

// InstallDependencies creates the virtual environment if it is missing, and installs requirements.txt into it.
func (h *host) InstallDependencies(
	req *pulumirpc.InstallDependenciesRequest, server pulumirpc.LanguageRuntime_InstallDependenciesServer,
) error {
	var lock sync.Mutex
	stdout := stream(&lock, func(out []byte) error {
		return server.Send(&pulumirpc.InstallDependenciesResponse{Stdout: out})
	})
	stderr := stream(&lock, func(out []byte) error {
		return server.Send(&pulumirpc.InstallDependenciesResponse{Stderr: out})
	})
	run := func(py python, args ...string) error {
		cmd := h.command(server.Context(), py, os.Environ(), args...)
		cmd.Dir = req.Info.ProgramDirectory
		cmd.Stdout, cmd.Stderr = stdout, stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("python %v: %w", args, err)
		}
		return nil
	}

	requirements := ""
	for _, dir := range []string{req.Info.ProgramDirectory, req.Info.RootDirectory} {
		if path := filepath.Join(dir, "requirements.txt"); requirements == "" && isFile(path) {
			requirements = path
		}
	}
	// A plugin that neither has requirements nor names an environment runs in the one that is active.
	venv := venvPath(req.Info, req.IsPlugin && requirements != "")
	if venv != "" && !isFile(inVenv(venv).executable) {
		base, err := ambientPython()
		if err != nil {
			return err
		}
		fmt.Fprintf(stdout, "Creating virtual environment %s\n", venv)
		if err := run(base, "-m", "venv", venv); err != nil {
			return err
		}
	}
	if requirements == "" {
		return nil
	}
	py, err := findPython(req.Info, req.IsPlugin)
	if err != nil {
		return err
	}
	return run(py, "-m", "pip", "install", "-r", requirements)
}

// stream makes a writer of a send function. A stream takes one message at a time, from whichever goroutine.
func stream(lock *sync.Mutex, send func([]byte) error) io.Writer {
	return writer(func(out []byte) (int, error) {
		lock.Lock()
		defer lock.Unlock()
		return len(out), send(append([]byte(nil), out...))
	})
}

type writer func([]byte) (int, error)

func (w writer) Write(out []byte) (int, error) { return w(out) }
