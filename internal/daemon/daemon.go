// Package daemon introduces the rooms to each other and runs them.
//
// [New] opens nothing and starts nothing; [Daemon.Run] opens the stores, starts
// the parts in a fixed order, says when it is ready, and stops them in reverse,
// each step named and bounded. A part that dies takes the daemon down in order,
// since half a daemon is worse than none.
//
// It refuses to decide anything about hosts, policies or acts: it composes the
// rooms' configurations, hands each room what it asked for, and reloads what can
// be reloaded while running. Everything it started has ended when Run returns.
package daemon
