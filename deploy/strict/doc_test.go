// Package strict_test reads what is deployed as those who run it do: Docker Compose by
// its own loader and schema, Kubernetes by its own types. It is a module of its own, so
// that Reelkeeper depends on neither.
package strict_test
