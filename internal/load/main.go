// Command load measures a running vigild from outside, as a client would.
//
//	go run ./internal/load ingest -url http://127.0.0.1:8000/api/v1/write -pid PID
//	go run ./internal/load ingest -vigild ./vigild -policies 1000
//	go run ./internal/load breach -vigild ./vigild
//	go run ./internal/load kill   -vigild ./vigild
//	go run ./internal/load drift|audit|idle|push|bulk|plan|clone|noticed -vigild ./vigild
//
// ingest sends remote write 1.0 to any receiver, so the same run measures a
// peer; with -vigild it starts one of its own in a temporary folder, as the others
// do. The first three print one JSON line, those of desired state (room desired)
// one table. Request bodies are made before the clock starts; every loop is
// bounded in count and time. It stops when its count is reached.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"vigil/internal/load/desired"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("usage: load ingest|breach|kill|%s [flags]; load ingest -h lists them", names())
	}
	fs := flag.NewFlagSet("load "+args[0], flag.ContinueOnError)
	var report any
	var err error
	switch args[0] {
	case "ingest":
		var c ingestRun
		fs.StringVar(&c.url, "url", "http://127.0.0.1:8000/api/v1/write", "receiver")
		fs.StringVar(&c.token, "token", "", "bearer token")
		fs.IntVar(&c.series, "series", 10_000, "distinct series")
		fs.IntVar(&c.samples, "samples", 3_000_000, "samples in all")
		fs.IntVar(&c.batch, "batch", 1000, "samples a request")
		fs.IntVar(&c.conns, "conns", 2, "connections, each waiting for its answers")
		fs.IntVar(&c.pid, "pid", 0, "receiver's process, for its CPU and memory")
		fs.StringVar(&c.vigild, "vigild", "", "start this binary and measure it, in place of -url and -pid")
		fs.IntVar(&c.policies, "policies", 0, "with -vigild: policies that watch one of the series each")
		fs.IntVar(&c.untouched, "untouched", 0, "with -vigild: policies that watch none of them")
		fs.DurationVar(&c.most, "most", 2*time.Minute, "stop after this long")
		if err := fs.Parse(args[1:]); err != nil {
			return err
		}
		if c.vigild != "" {
			report, err = c.own()
		} else {
			report, err = c.run()
		}
	case "breach", "kill":
		var c chainRun
		fs.StringVar(&c.vigild, "vigild", "./vigild", "binary to start")
		fs.IntVar(&c.trials, "trials", 200, "breaches, one after another")
		fs.DurationVar(&c.gap, "gap", 2500*time.Millisecond, "rest before each death (kill)")
		fs.StringVar(&c.runsv, "runsv", "", "measure runit's runsv at this path in place of vigild (kill)")
		fs.BoolVar(&c.plain, "shell", false, "the child is a shell with its date, not a program of a few instructions")
		if err := fs.Parse(args[1:]); err != nil {
			return err
		}
		if args[0] == "breach" {
			report, err = c.breach()
		} else {
			report, err = c.kill()
		}
	default:
		for _, m := range desired.Measurements() {
			if m.Name == args[0] {
				return table(fs, m, args[1:])
			}
		}
		return fmt.Errorf("unknown measurement %q: ingest, breach, kill, %s", args[0], names())
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(report)
}

func names() string {
	var out []string
	for _, m := range desired.Measurements() {
		out = append(out, m.Name)
	}
	return strings.Join(out, "|")
}

// table measures desired state and prints what it has found.
func table(fs *flag.FlagSet, m desired.Measurement, args []string) error {
	var c desired.Config
	fs.StringVar(&c.Vigild, "vigild", "./vigild", "binary to start")
	fs.IntVar(&c.Trials, "trials", m.Trials, "how many times")
	fs.IntVar(&c.Things, "things", m.Things, "files or documents")
	fs.DurationVar(&c.For, "for", m.For, "how long to watch")
	if err := fs.Parse(args); err != nil {
		return err
	}
	rows, err := m.Run(c)
	if err != nil {
		return err
	}
	return desired.Print(os.Stdout, rows)
}
