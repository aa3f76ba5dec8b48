package api_test

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain looks for goroutines that a server left behind after its stop.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
