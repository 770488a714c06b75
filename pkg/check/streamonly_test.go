package check

import (
	"context"
	"testing"
)

type streamHandler struct{ StreamOnly }

func (streamHandler) Deliver(context.Context, Delivery) (string, error) { return "", nil }

type plainHandler struct{}

func (plainHandler) Process(context.Context, *Event) error { return nil }

func TestIsStreamOnly(t *testing.T) {
	t.Parallel()
	var d Deliverer = streamHandler{}
	if !IsStreamOnly(d) || !IsStreamOnly(&streamHandler{}) || IsStreamOnly(plainHandler{}) {
		t.Error("IsStreamOnly does not tell who embeds StreamOnly from who does not")
	}
	if err := d.Process(t.Context(), nil); err == nil {
		t.Error("Process() = nil, want an error: nobody may call it")
	}
}
