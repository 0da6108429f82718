package config

import (
	"cmp"
	"net"
	"os"
	"slices"
	"strings"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/payload"
)

// Temporal's own variables named in our errors.
const (
	temporalAddress   = "TEMPORAL_ADDRESS"
	temporalFile      = "TEMPORAL_CONFIG_FILE"
	temporalProfile   = "TEMPORAL_PROFILE"
	temporalTLS       = "TEMPORAL_TLS"
	defaultTemporal   = "127.0.0.1:7233"
	defaultNamespace  = client.DefaultNamespace
	temporalVerifyOff = "TEMPORAL_TLS_DISABLE_HOST_VERIFICATION"
)

// temporalNames are Temporal's variables in the README, for users who prefix one with ours.
func temporalNames() []string {
	return []string{temporalAddress, "TEMPORAL_NAMESPACE", temporalFile, temporalProfile, temporalAPIKey, temporalAPIKey + fileSuffix}
}

// TemporalOptions reads Temporal's own settings, TEMPORAL_* variables over a TOML profile, as every
// Temporal tool does. Address and namespace default to 127.0.0.1:7233 and "default". The options
// include our data converter; logger and metrics are left to the caller. TEMPORAL_API_KEY_FILE
// names a file with the key, which is read at each call. Errors name the invalid variable.
func TemporalOptions(environ map[string]string) (client.Options, error) {
	given, keyFile := environ, strings.TrimSpace(environ[temporalAPIKey+fileSuffix])
	environ, err := withFiles(environ, temporalAPIKey)
	if err != nil {
		return client.Options{}, err
	}
	lookup := environment(environ)
	for _, name := range []string{temporalTLS, temporalVerifyOff} {
		if v := strings.ToLower(environ[name]); !slices.Contains([]string{"", "1", "0", "true", "false"}, v) {
			return client.Options{}, egress.Invalidf(name, "want true or false, got %q", environ[name])
		}
	}
	profile, err := temporalProfileOf(lookup)
	if err != nil {
		return client.Options{}, err
	}
	if err := profile.ApplyEnvVars(lookup); err != nil {
		return client.Options{}, egress.Invalidf(temporalFile, "%s", err.Error())
	}
	profile.Address = cmp.Or(profile.Address, defaultTemporal)
	profile.Namespace = cmp.Or(profile.Namespace, defaultNamespace)
	host, port, err := net.SplitHostPort(profile.Address)
	if err != nil || !isPort(port) {
		return client.Options{}, egress.Invalidf(temporalAddress, "want host:port, got %q", profile.Address)
	}
	if !printable(profile.APIKey) {
		return client.Options{}, fromFile(given, egress.Invalidf(temporalAPIKey, "is not one line of printable ASCII"))
	}
	opts, err := profile.ToClientOptions(envconfig.ToClientOptionsRequest{})
	if err != nil {
		return client.Options{}, egress.Invalidf(certificates(environ, err), "%s", err.Error())
	}
	if key := environ[temporalAPIKey]; keyFile != "" && key != "" {
		opts.Credentials = rotating(keyFile, key)
	}
	opts.DataConverter = payload.Converter()
	if ip := net.ParseIP(host); host == "localhost" || ip.IsLoopback() {
		opts.ConnectionOptions.GrpcCompression = &client.GrpcCompressionNone{} // gzip costs more there than it saves
	}
	return opts, nil
}

// certificates names the variables of the certificates that cannot be used; envconfig's error names
// none.
func certificates(environ map[string]string, err error) string {
	which := temporalTLS + "_CLIENT_"
	if strings.Contains(err.Error(), "server CA") {
		which = temporalTLS + "_SERVER_CA_"
	}
	var names []string
	for name, value := range environ {
		if strings.HasPrefix(name, which) && value != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return cmp.Or(strings.Join(names, ", "), temporalFile) // which has the profile
}

// printable reports whether gRPC sends a text in a header.
func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

// temporalProfileOf reads the TOML profile. A named file or profile must exist; envconfig requires
// that only of the profile.
func temporalProfileOf(lookup environment) (envconfig.ClientConfigProfile, error) {
	if file := lookup[temporalFile]; file != "" {
		if _, err := os.Stat(file); err != nil {
			return envconfig.ClientConfigProfile{}, egress.Invalidf(temporalFile, "%s", err.Error())
		}
	}
	conf, err := envconfig.LoadClientConfig(envconfig.LoadClientConfigOptions{EnvLookup: lookup})
	if err != nil {
		return envconfig.ClientConfigProfile{}, egress.Invalidf(temporalFile, "%s", err.Error())
	}
	name := lookup[temporalProfile]
	if p := conf.Profiles[cmp.Or(name, envconfig.DefaultConfigFileProfile)]; p != nil {
		return *p, nil
	}
	if name != "" {
		return envconfig.ClientConfigProfile{}, egress.Invalidf(temporalProfile, "no profile %q in %s", name,
			cmp.Or(lookup[temporalFile], envconfig.DefaultConfigFilePath()))
	}
	return envconfig.ClientConfigProfile{}, nil
}

// environment is envconfig's lookup in a map. A variable that is set but empty counts as unset.
type environment map[string]string

// Environ returns the environment in a process's format.
func (e environment) Environ() []string {
	var list []string
	for name, value := range e {
		list = append(list, name+"="+value)
	}
	slices.Sort(list)
	return list
}

// LookupEnv returns one variable.
func (e environment) LookupEnv(name string) (string, bool) {
	v := e[name]
	return v, v != ""
}
