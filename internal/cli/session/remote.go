package session

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"vigil/api/client"
	"vigil/engine/fault"
	"vigil/internal/daemon/config"
)

// Remote is the client of the daemon that the flags and the environment name:
// --url, else --socket, else the socket that the configuration gives.
func (s *Session) Remote() (*client.Client, error) {
	if u := s.Or(s.URL, "VIGIL_URL"); u != "" {
		secret, err := s.Secret(s.Or(s.Token, "VIGIL_TOKEN"))
		if err != nil {
			return nil, err
		}
		return client.New(client.Config{URL: u, Token: secret})
	}
	socket := s.Or(s.Socket, "VIGIL_SOCKET")
	if socket == "" {
		found, flaw := config.SocketFor(s.From())
		if flaw != nil && found == "" {
			return nil, flaw
		}
		if flaw != nil {
			fmt.Fprintf(s.Err, "vigild: the configuration is not good; what runs is asked all the same: %v\n", flaw)
		}
		socket = found
	}
	return client.New(client.Config{Socket: socket})
}

// Or is the flag, else the environment.
func (s *Session) Or(flag, env string) string {
	if flag != "" {
		return flag
	}
	v, _ := s.Lookup(env)
	return v
}

// Secret resolves file:PATH and env:NAME; anything else is the token itself.
func (s *Session) Secret(ref string) (string, error) {
	if name, ok := strings.CutPrefix(ref, "env:"); ok {
		v, _ := s.Lookup(name)
		if v == "" {
			return "", fault.New(fault.Usage, "the environment has no %s", name).At("--token")
		}
		return v, nil
	}
	if file, ok := strings.CutPrefix(ref, "file:"); ok {
		b, err := os.ReadFile(file)
		if err != nil {
			return "", fault.Wrap(fault.Usage, err, "--token")
		}
		return strings.TrimSpace(string(b)), nil
	}
	return ref, nil
}

// Load reads the configuration that the flags name.
func (s *Session) Load() (*config.Loaded, error) {
	return config.Load(s.From())
}

// here is a path of the command line: it begins at the folder that one is in.
func here(path string) string {
	if whole, err := filepath.Abs(path); err == nil {
		return whole
	}
	return path
}

func (s *Session) From() config.From {
	return config.From{
		File: s.Config, Env: s.Env, Places: config.PlacesFor(os.Geteuid(), s.Lookup),
		Change: func(c *config.Config) {
			if s.DataDir != "" {
				c.DataDir = here(s.DataDir)
			}
			if s.Socket != "" {
				c.API.Socket = s.Socket
			}
		},
	}
}
