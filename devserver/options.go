package main

import (
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
)

const (
	// defaultPort is the frontend's gRPC port in every Temporal tool and SDK.
	defaultPort = 7233
	// uiPortOffset is what start-dev adds to --port when --ui-port is not given.
	uiPortOffset = 1000
	maxPort      = 65535
	// defaultNamespace always exists, as under start-dev.
	defaultNamespace = "default"
)

// options is one command line, checked and with its defaults filled in.
type options struct {
	showVersion bool

	ip          string
	port        int
	httpPort    int // 0: a free one
	metricsPort int // 0: no metrics

	headless        bool
	uiIP            string
	uiPort          int
	uiPublicPath    string
	uiAssetPath     string
	uiCodecEndpoint string

	dbFilename       string // empty: in memory
	sqlitePragmas    map[string]string
	namespaces       []string
	searchAttributes map[string]enumspb.IndexedValueType
	dynamicConfig    map[string]any

	logLevel  string
	logFormat string
}

// parseArgs reads `[server start-dev] [flags]`. Its errors are one line each and mean exit status 2.
func parseArgs(args []string) (*options, error) {
	if len(args) >= 2 && args[0] == "server" && args[1] == "start-dev" {
		args = args[2:]
	}
	opts := &options{
		namespaces:       []string{defaultNamespace},
		sqlitePragmas:    map[string]string{},
		searchAttributes: map[string]enumspb.IndexedValueType{},
		dynamicConfig:    map[string]any{},
	}
	flags := opts.flagSet()
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("unknown argument %q: the only command is \"server start-dev\"", flags.Arg(0))
	}
	return opts, opts.complete()
}

// flagSet names every flag of start-dev that means something here; the spelling is the CLI's.
func (o *options) flagSet() *flag.FlagSet {
	f := flag.NewFlagSet("devserver", flag.ContinueOnError)
	f.SetOutput(io.Discard) // run prints the error, once.
	f.BoolVar(&o.showVersion, "version", false, "print the versions and exit")
	f.StringVar(&o.ip, "ip", "127.0.0.1", "address to serve on")
	f.IntVar(&o.port, "port", defaultPort, "gRPC port")
	f.IntVar(&o.port, "p", defaultPort, "short for --port")
	f.IntVar(&o.httpPort, "http-port", 0, "port of the HTTP API (default a free one)")
	f.IntVar(&o.metricsPort, "metrics-port", 0, "port of Prometheus /metrics; 0 means none")
	f.BoolVar(&o.headless, "headless", false, "do not serve the web UI")
	f.StringVar(&o.uiIP, "ui-ip", "", "address to serve the web UI on (default --ip)")
	f.IntVar(&o.uiPort, "ui-port", 0, "port of the web UI (default --port plus 1000)")
	f.StringVar(&o.uiPublicPath, "ui-public-path", "", "path prefix of the web UI")
	f.StringVar(&o.uiAssetPath, "ui-asset-path", "", "folder of web UI assets, instead of the built-in ones")
	f.StringVar(&o.uiCodecEndpoint, "ui-codec-endpoint", "", "URL of a codec server for the web UI")
	f.Bool("ui-disable-news-fetch", true, "accepted for start-dev's sake: this UI never fetches news")
	f.StringVar(&o.dbFilename, "db-filename", "", "SQLite file to store in (default: in memory)")
	f.StringVar(&o.dbFilename, "f", "", "short for --db-filename")
	f.Func("sqlite-pragma", "`KEY=VALUE`, may be repeated", o.addPragma)
	f.Func("namespace", "`name` of a namespace to have, may be repeated", o.addNamespace)
	f.Func("n", "short for --namespace", o.addNamespace)
	f.Func("search-attribute", "`NAME=TYPE` of a search attribute to have, may be repeated", o.addSearchAttribute)
	f.Func("dynamic-config-value", "`KEY=JSON`, may be repeated; wins over the built-in tuning", o.addDynamicConfig)
	f.StringVar(&o.logLevel, "log-level", defaultLogLevel, "debug, info, warn, error or never")
	f.StringVar(&o.logFormat, "log-format", "text", "text, pretty (the same) or json")
	return f
}

func (o *options) addNamespace(name string) error {
	if !slices.Contains(o.namespaces, name) {
		o.namespaces = append(o.namespaces, name)
	}
	return nil
}

func (o *options) addPragma(pair string) error {
	key, value, ok := strings.Cut(pair, "=")
	if !ok {
		return fmt.Errorf("want KEY=VALUE")
	}
	o.sqlitePragmas[key] = value
	return nil
}

func (o *options) addSearchAttribute(pair string) error {
	name, typeName, ok := strings.Cut(pair, "=")
	if !ok {
		return fmt.Errorf("want NAME=TYPE")
	}
	for known, value := range enumspb.IndexedValueType_shorthandValue {
		if value != 0 && strings.EqualFold(known, typeName) {
			o.searchAttributes[name] = enumspb.IndexedValueType(value)
			return nil
		}
	}
	known := slices.Sorted(maps.Keys(enumspb.IndexedValueType_shorthandValue))
	return fmt.Errorf("unknown type %q: the types are %s", typeName, strings.Join(known, ", "))
}

func (o *options) addDynamicConfig(pair string) error {
	key, value, ok := strings.Cut(pair, "=")
	if !ok {
		return fmt.Errorf("want KEY=JSON")
	}
	parsed, err := parseDynamicValue(value)
	if err != nil {
		return fmt.Errorf("value is not JSON (a string needs its quotes): %w", err)
	}
	o.dynamicConfig[key] = parsed
	return nil
}

// complete fills in the defaults that depend on other flags and checks what flag can't.
func (o *options) complete() error {
	if o.ip == "localhost" {
		o.ip = "127.0.0.1" // The server's listeners take addresses, not names.
	}
	if net.ParseIP(o.ip) == nil {
		return fmt.Errorf("invalid value %q for flag --ip: not an IP address", o.ip)
	}
	if o.uiIP == "" {
		o.uiIP = o.ip
	}
	if o.uiPort == 0 {
		o.uiPort = min(o.port+uiPortOffset, maxPort)
	}
	if o.port < 1 || o.port > maxPort {
		return fmt.Errorf("invalid value %d for flag --port: not a port", o.port)
	}
	return checkLogFlags(o.logLevel, o.logFormat)
}

// usage is the text of --help.
func usage() string {
	var text strings.Builder
	text.WriteString("Runs a development Temporal server: devserver [server start-dev] [flags]\n\n")
	flags := (&options{}).flagSet()
	flags.SetOutput(&text)
	flags.PrintDefaults()
	return text.String()
}
