package cli

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/redpoll/redpoll/pkg/check"
)

func (a *app) ackCmd() *cobra.Command {
	var o requestOptions
	var by, comment, until string
	cmd := &cobra.Command{
		Use:   "ack (INCIDENT | ID) ...",
		Short: "Acknowledge incidents",
		Long: strings.TrimSpace(`
Acknowledge incidents: by their ids (zone/check/milliseconds), or the open
incident of a check. An incident that was resolved meanwhile stays as it is.`),
		Example: "  redpoll ack web1 --comment 'the line is cut, ticket 4711'",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("ack wants an incident or a check; 'redpoll incidents' lists them")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			var list []fields
			for _, arg := range args {
				f := fields{{"op", "ack"}}
				if _, _, _, err := check.ParseIncidentID(arg); err == nil {
					f = f.with("incident", arg)
				} else if zone, id, ok := strings.Cut(arg, "/"); ok {
					f = f.with("id", id).with("zone", zone)
				} else {
					f = f.with("id", arg).with("zone", a.opt.zone)
				}
				f = f.with("by", cmpOr(by, cmpOr(a.Getenv("USER"), a.Getenv("LOGNAME")))).with("comment", comment).with("until", until)
				if err := validate(f); err != nil {
					return a.faultLines(arg, err)
				}
				list = append(list, f)
			}
			return a.request(cmd.Context(), o, list)
		},
	}
	o.flags(cmd, 5*time.Second)
	cmd.Flags().StringVar(&by, "by", "", "who acknowledges, default the variable USER")
	cmd.Flags().StringVarP(&comment, "comment", "c", "", "what to say")
	cmd.Flags().StringVar(&until, "until", "", "the acknowledgement ends at this time, RFC 3339")
	return cmd
}
