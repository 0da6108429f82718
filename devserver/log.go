package main

import (
	"fmt"
	"io"
	"slices"

	"go.temporal.io/server/common/log"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// defaultLogLevel is start-dev's: the server says a lot at info.
const defaultLogLevel = "warn"

var (
	logLevels  = []string{"debug", "info", "warn", "error", "never"}
	logFormats = []string{"text", "pretty", "json"}
)

func checkLogFlags(level, format string) error {
	if !slices.Contains(logLevels, level) {
		return fmt.Errorf("invalid value %q for flag --log-level: use one of %v", level, logLevels)
	}
	if !slices.Contains(logFormats, format) {
		return fmt.Errorf("invalid value %q for flag --log-format: use one of %v", format, logFormats)
	}
	return nil
}

// newLogger returns the server's logger and a function that silences all but fatal lines, for the
// shutdown: services that stop one after the other complain about each other.
func newLogger(level, format string, w io.Writer) (log.Logger, func()) {
	if level == "never" {
		return log.NewNoopLogger(), func() {}
	}
	encoding := log.DefaultZapEncoderConfig
	encoding.CallerKey = zapcore.OmitKey // Temporal's logger adds its own.
	encoder := zapcore.NewConsoleEncoder(encoding)
	if format == "json" {
		encoder = zapcore.NewJSONEncoder(encoding)
	}
	threshold := zap.NewAtomicLevelAt(log.ParseZapLevel(level))
	core := zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(w)), threshold)
	return log.NewZapLogger(zap.New(core)), func() { threshold.SetLevel(zapcore.FatalLevel) }
}
