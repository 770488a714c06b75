// Package otlp sends traces of runs to an OpenTelemetry collector: OTLP over
// HTTP with its JSON encoding, which is documented in opentelemetry-proto. It
// never holds up a run: what does not fit into its queue is counted and gone.
package otlp
