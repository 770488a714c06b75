package check

import "maps"

// NewEvent gives what an Event tells about the check: all but its params. The
// labels are a copy, since a Mutator may change them.
func NewEvent(c *Check) EventCheck {
	return EventCheck{
		ID: c.ID, Zone: c.ZoneName(), Command: c.Command,
		Every: c.Every, Cron: c.Cron, Timezone: c.Timezone, At: c.At,
		Labels: maps.Clone(c.Labels), Meta: c.Meta, Handlers: c.Handlers,
	}
}
