// Package crash holds a test that ends workers and schedulers at every point
// of their work and looks for checks that were lost or ran too often.
package crash
