package cli

import (
	"net/url"
	"os"
	"strings"

	"vigil/api/client"
	"vigil/engine/fault"
	"vigil/internal/daemon/config"
)

// remote is the client of the daemon that the flags and the environment name:
// --url, else --socket, else the socket that the configuration gives.
func (s *session) remote() (*client.Client, error) {
	if u := s.or(s.URL, "VIGIL_URL"); u != "" {
		secret, err := s.secret(s.or(s.Token, "VIGIL_TOKEN"))
		if err != nil {
			return nil, err
		}
		return client.New(client.Config{URL: u, Token: secret})
	}
	socket := s.or(s.Socket, "VIGIL_SOCKET")
	if socket == "" {
		cfg, err := s.load()
		if err != nil {
			return nil, err
		}
		socket = cfg.API.Socket
	}
	return client.New(client.Config{Socket: socket})
}

// or is the flag, else the environment.
func (s *session) or(flag, env string) string {
	if flag != "" {
		return flag
	}
	v, _ := s.lookup(env)
	return v
}

// secret resolves file:PATH and env:NAME; anything else is the token itself.
func (s *session) secret(ref string) (string, error) {
	if name, ok := strings.CutPrefix(ref, "env:"); ok {
		v, _ := s.lookup(name)
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

// load reads the configuration that the flags name.
func (s *session) load() (*config.Loaded, error) {
	return config.Load(s.from())
}

func (s *session) from() config.From {
	return config.From{
		File: s.Config, Env: s.Env, Places: config.PlacesFor(os.Geteuid(), s.lookup),
		Change: func(c *config.Config) {
			if s.DataDir != "" {
				c.DataDir = s.DataDir
			}
			if s.Socket != "" {
				c.API.Socket = s.Socket
			}
		},
	}
}

func esc(part string) string { return url.PathEscape(part) }
