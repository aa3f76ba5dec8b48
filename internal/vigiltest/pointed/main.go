// Command pointed is the daemon as the crash campaign runs it: the same rooms,
// put together by the same code, with a test standing between them (see
// daemon.Seams).
//
//	VIGIL_CRASH_POINT=NAME:N  the N-th pass of a named point is a SIGKILL of itself
//	VIGIL_PLANT=NAME          a bug that the campaign must find
//
// It refuses to be what users run: the binary of the repository has neither
// name. It takes its configuration from VIGIL_CONFIG and the environment, and
// stops on SIGTERM.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"vigil/internal/daemon"
	"vigil/internal/daemon/config"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "pointed:", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	p, err := newPoint(os.Getenv("VIGIL_CRASH_POINT"))
	if err != nil {
		return err
	}
	seams := p.seams()
	if err := plant(os.Getenv("VIGIL_PLANT"), &seams); err != nil {
		return err
	}
	env := slices.DeleteFunc(os.Environ(), func(e string) bool {
		return strings.HasPrefix(e, "VIGIL_CRASH_POINT=") || strings.HasPrefix(e, "VIGIL_PLANT=")
	})
	d, err := daemon.New(daemon.Options{
		From: config.From{File: os.Getenv("VIGIL_CONFIG"), Env: env, Places: config.PlacesFor(os.Geteuid(), os.LookupEnv)},
		Log:  os.Stderr, Version: "pointed", Seams: seams,
	})
	if err != nil {
		return err
	}
	return d.Run(ctx)
}
