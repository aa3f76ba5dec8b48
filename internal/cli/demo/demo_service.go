package demo

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"time"
)

// DemoServiceCmd is the small web service that the demo breaks: a queue of
// orders that can be flooded and drained.
type DemoServiceCmd struct {
	Addr string `arg:""`
}

// Run serves until ctx ends.
func (c *DemoServiceCmd) Run(ctx context.Context) error {
	var depth atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("/pid", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, os.Getpid()) })
	mux.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("/queue", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, depth.Load()) })
	mux.HandleFunc("/flood", func(w http.ResponseWriter, r *http.Request) {
		if n, err := strconv.ParseInt(r.FormValue("n"), 10, 64); err == nil {
			depth.Add(n)
		}
	})
	mux.HandleFunc("POST /drain", func(http.ResponseWriter, *http.Request) { depth.Store(0) })
	srv := &http.Server{Addr: c.Addr, Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- srv.ListenAndServe() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		_ = srv.Close()
		<-ended
		return nil
	}
}
