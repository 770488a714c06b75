// Package test holds the tests of the project as a whole: who may import whom,
// what the documents say, and how long files may be.
package test
