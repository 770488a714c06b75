package cli

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands"
)

const (
	// completeMost bounds the ids that a shell is offered.
	completeMost = 200
	// completeTime is how long a person waits for the tab key.
	completeTime = 2 * time.Second
)

var errEnough = errors.New("enough")

// completeIDs offers the shell the ids of checks that begin as the word does.
func (a *app) completeIDs(cmd *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
	if a.settings(cmd) != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completeTime)
	defer cancel()
	conn, err := a.connect(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var out []string
	err = a.scan(ctx, conn, func(lane check.Lane, page []stored) error {
		for _, s := range page {
			name := target{lane.Zone, s.ID}.String()
			if lane.Zone == a.opt.zone {
				name = s.ID
			}
			if strings.HasPrefix(name, word) {
				out = append(out, name)
			}
		}
		if len(out) >= completeMost {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, cobra.ShellCompDirectiveError
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

// completeCommands offers the built-in commands as the second word of add.
func completeCommands(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) != 1 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return commands.Builtin().Names(), cobra.ShellCompDirectiveNoFileComp
}
