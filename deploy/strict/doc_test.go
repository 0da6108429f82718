// Package strict_test reads the deployment files as those who run them do: with Docker Compose's
// own loader and schema, and with Kubernetes' own types. It is a separate module, so that
// Reelkeeper depends on neither.
package strict_test
