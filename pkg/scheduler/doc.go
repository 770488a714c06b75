// Package scheduler brings checks from the schedule to the workers and takes
// requests in. It is the loop behind cmd/scheduler, for embedding as well:
//
//	s := scheduler.New(queue, scheduler.Config{Commands: commands.Builtin()})
//	err := s.Run(ctx)
//
// Run keeps these loops going, each with its own pauses and failures:
//
//   - dispatch, one per lane: moves due checks to the workers. Every scheduler
//     does this for every lane; Redis sees to it that each check moves once.
//   - intake: validates requests, applies them in order and logs a verdict on
//     each. The scheduler that holds the intake's lock does it.
//   - repair: compares the registry with the schedule and mends what differs;
//     only beside the intake.
//   - strays: tells in the intake's log about ids that were due without a spec.
//   - gauges: how late and how full the zones are.
//
// A scheduler holds nothing that is not in Redis, except what it has yet to
// report: any number may run, and any may be killed at any time.
package scheduler
