package actions

import "vigil/actions/launch"

// Program is one program to start; see [launch.Program].
type Program = launch.Program

// Outcome is how a program ended; see [launch.Outcome].
type Outcome = launch.Outcome
