package proctest

import (
	"os/exec"
	"syscall"
)

// dieWithTest ends the process when the test binary is killed, so that nothing
// is left behind on a machine where that happens.
func dieWithTest(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
