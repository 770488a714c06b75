package cli

import (
	"bufio"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/redpoll/redpoll/pkg/check"
)

func (a *app) exportCmd() *cobra.Command {
	var selectors []string
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write all checks as apply reads them",
		Long:  "Write all checks (of --zone, or of all zones) as apply reads them: YAML, or -o json, jsonl. Exit code 1 when a spec cannot be read.",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			sel, err := parseSelector(selectors)
			if err != nil {
				return err
			}
			conn, err := a.connect(cmd.Context())
			if err != nil {
				return err
			}
			var list []stored
			bad := 0
			err = a.scan(cmd.Context(), conn, func(_ check.Lane, page []stored) error {
				for _, s := range page {
					switch {
					case s.check == nil:
						bad++
						_ = a.faultLines(s.target().String(), s.err) // counted in bad
					case sel.match(s.check):
						list = append(list, s)
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
			sortStored(list, func(s stored) (string, string) { return s.check.ZoneName(), s.ID })
			if err := a.export(list); err != nil {
				return err
			}
			if bad > 0 {
				return errWrong
			}
			return nil
		},
	}
	cmd.Flags().StringArrayVarP(&selectors, "selector", "l", nil, "checks with this `LABEL=VALUE`")
	return cmd
}

// export writes one check after the other: 100,000 fill no memory twice.
func (a *app) export(list []stored) error {
	w := bufio.NewWriter(a.Stdout)
	format := a.opt.output
	if format == formatJSON && len(list) == 0 {
		_, _ = w.WriteString("[")
	}
	for i, s := range list {
		text := s.check.Text()
		switch format {
		case formatName:
			fmt.Fprintln(w, clean(s.target().String()))
		case formatJSONL:
			fmt.Fprintf(w, "%s\n", inert(text))
		case formatJSON:
			fmt.Fprintf(w, "%s\n%s", map[bool]string{true: "[", false: ","}[i == 0], inert(text))
		default:
			item, err := jsonToYAML([]byte("[" + string(text) + "]"))
			if err != nil {
				return err
			}
			_, _ = w.Write(item)
		}
	}
	if format == formatJSON {
		_, _ = w.WriteString("\n]\n")
	}
	return w.Flush() // keeps the first error of all writes
}
