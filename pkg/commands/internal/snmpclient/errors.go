package snmpclient

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/gosnmp/gosnmp"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands/internal/tools"
)

// ReasonConnection is the reason of a Result about a device that does not
// answer.
const ReasonConnection = "CONNECTION_ERROR"

var (
	// ErrNoAnswer says that the device was not reached or did not answer in time.
	ErrNoAnswer = errors.New("no answer")
	// ErrDevice says that the device answered, and not with what was asked for.
	ErrDevice = errors.New("device")
)

// Failure makes of an error of this package what a Command returns: CRIT for a
// device that does not answer, UNKNOWN for one that answers wrongly, else the
// error.
func Failure(err error, at time.Time) (check.Result, error) {
	switch {
	case errors.Is(err, context.Canceled):
		return check.Result{}, err
	case errors.Is(err, ErrNoAnswer):
		return check.Result{At: at, State: check.StateCrit, Reason: ReasonConnection, Text: err.Error()}, nil
	case errors.Is(err, ErrDevice):
		return check.Result{At: at, State: check.StateUnknown, Reason: check.ReasonCmdFailure, Text: err.Error()}, nil
	}
	return check.Result{}, err
}

// noAnswer and device make the two kinds of errors about target.
func noAnswer(target, why string) error {
	return fmt.Errorf("%w from %s: %s", ErrNoAnswer, target, why)
}

func device(target, why string) error { return fmt.Errorf("%w %s: %s", ErrDevice, target, why) }

// reports are what a version 3 device says about a request that it refuses.
var reports = []struct {
	err error
	why string
}{
	{gosnmp.ErrUnknownUsername, "it does not know the user"},
	{gosnmp.ErrWrongDigest, "wrong auth_password or auth_protocol"},
	{gosnmp.ErrDecryption, "wrong priv_password or priv_protocol"},
	{gosnmp.ErrUnknownSecurityLevel, "it refuses the user at this security level"},
	{gosnmp.ErrNotInTimeWindow, "its clock of SNMP version 3 does not agree with its own answers"},
	{gosnmp.ErrUnknownEngineID, "it does not know its own engine id"},
	{gosnmp.ErrUnknownSecurityModels, "it has no user-based security"},
	{gosnmp.ErrUnknownPDUHandlers, "it does not know the context"},
	{gosnmp.ErrInvalidMsgs, "it calls the request invalid"},
	{gosnmp.ErrUnknownReportPDU, "it refuses the request with a report of its own"},
}

// explain gives an error of gosnmp its kind and a text that holds nothing of
// the packet: gosnmp's own texts may.
func explain(ctx context.Context, target string, version Version, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return fmt.Errorf("snmp %s: %w", target, ctx.Err())
	}
	for _, r := range reports {
		if errors.Is(err, r.err) {
			return device(target, r.why)
		}
	}
	var denied *tools.DeniedError
	var op *net.OpError
	switch {
	case errors.As(err, &denied):
		return fmt.Errorf("snmp: %w", denied)
	case ours(err):
		return fmt.Errorf("snmp %s: %w", target, err)
	case timedOut(err) || ctx.Err() != nil:
		return noAnswer(target, "timed out")
	case errors.As(err, &op):
		return noAnswer(target, op.Err.Error())
	case errors.Is(err, errHungUp):
		return noAnswer(target, "connection closed")
	case version == V3:
		return device(target, "no answer that the user's keys open: wrong password or protocol, or a damaged packet")
	}
	return device(target, "answer cannot be read")
}

// ours says that the worker's machine ran out of something.
func ours(err error) bool {
	for _, e := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EADDRNOTAVAIL} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// timedOut says that a request was answered by silence.
func timedOut(err error) bool {
	return errors.Is(err, errSilence) || errors.Is(err, gosnmp.ErrMaxRetriesExceeded) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)
}
