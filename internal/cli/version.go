package cli

import (
	"fmt"
	"runtime"

	"vigil/internal/cli/session"
)

type versionCmd struct{}

// Run prints it.
func (versionCmd) Run(s *session.Session) error {
	v := struct {
		Version string `json:"version"`
		Go      string `json:"go"`
		OS      string `json:"os"`
		Arch    string `json:"arch"`
	}{session.Version(), runtime.Version(), runtime.GOOS, runtime.GOARCH}
	return s.Print(v, func() error {
		_, err := fmt.Fprintf(s.Out, "vigild %s (%s, %s/%s)\n", v.Version, v.Go, v.OS, v.Arch)
		return err
	})
}
