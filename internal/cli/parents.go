package cli

import "context"

// parentRow is a parent of a check and how it is.
type parentRow struct {
	ID string `json:"id"`
	// State is that of its latest result, or why it has none: missing, paused,
	// new.
	State string `json:"state"`
	Held  string `json:"held,omitempty"`
}

// parentRows reads how the parents of a check are.
func parentRows(ctx context.Context, conn *connection, zone string, ids []string) ([]parentRow, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	found, err := conn.Neighbours(ctx, zone, ids)
	if err != nil {
		return nil, err
	}
	rows := make([]parentRow, len(found))
	for i, n := range found {
		rows[i] = parentRow{ID: n.ID, State: "new"}
		switch last := parseLast(n.Last); {
		case !n.There:
			rows[i].State = "missing"
		case n.Paused:
			rows[i].State = "paused"
		case last != nil:
			rows[i].State, rows[i].Held = last.State.String(), last.Held
		}
	}
	return rows, nil
}
