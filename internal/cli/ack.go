package cli

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/redpoll/redpoll/pkg/check"
)

// ackOptions are the flags of ack.
type ackOptions struct {
	requestOptions
	by, comment, until, span string
	remove                   bool
}

func (a *app) ackCmd() *cobra.Command {
	var o ackOptions
	cmd := &cobra.Command{
		Use:   "ack (INCIDENT | ID) ...",
		Short: "Acknowledge incidents",
		Long: strings.TrimSpace(`
Acknowledge incidents: by their ids (zone/check/milliseconds), or the open
incident of a check. An incident that was resolved meanwhile stays as it is.
With --for or --until the acknowledgement ends by itself; --remove takes it
back.`),
		Example: strings.TrimRight(`
  redpoll ack web1 --comment 'the line is cut, ticket 4711'
  redpoll ack web1 db1 --for 2h
  redpoll ack web1 --remove`, "\n")[1:],
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("ack wants an incident or a check; 'redpoll incidents' lists them")
			}
			return nil
		},
		ValidArgsFunction: a.completeIDs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.remove && (o.until != "" || o.span != "") {
				return usagef("--remove goes with neither --until nor --for")
			}
			var list []fields
			for _, arg := range args {
				f := a.ackFields(o, arg)
				if err := validate(f); err != nil {
					return a.faultLines(arg, err)
				}
				list = append(list, f)
			}
			return a.request(cmd.Context(), o.requestOptions, list)
		},
	}
	o.requestOptions.flags(cmd, 5*time.Second)
	f := cmd.Flags()
	f.StringVar(&o.by, "by", "", "who acknowledges, default the variable USER")
	f.StringVarP(&o.comment, "comment", "c", "", "what to say")
	f.StringVar(&o.until, "until", "", "the acknowledgement ends at this time, RFC 3339")
	f.StringVar(&o.span, "for", "", "it ends after this time (90m, 8h)")
	f.BoolVar(&o.remove, "remove", false, "take the acknowledgement back")
	return cmd
}

// ackFields makes the request about one incident.
func (a *app) ackFields(o ackOptions, arg string) fields {
	f := fields{{"op", "ack"}}
	if o.remove {
		f = fields{{"op", "unack"}}
	}
	if _, _, _, err := check.ParseIncidentID(arg); err == nil {
		f = f.with("incident", arg)
	} else if zone, id, ok := strings.Cut(arg, "/"); ok {
		f = f.with("id", id).with("zone", zone)
	} else {
		f = f.with("id", arg).with("zone", a.opt.zone)
	}
	return f.with("by", a.by(o.by)).with("comment", o.comment).with("until", o.until).with("for", o.span)
}

// by gives who asks: as said, or as the environment knows.
func (a *app) by(said string) string {
	return cmpOr(said, cmpOr(a.Getenv("USER"), a.Getenv("LOGNAME")))
}
