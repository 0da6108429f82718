package catalogue

import (
	"net/url"
	"slices"
	"strings"

	"github.com/reelkeeper/reelkeeper/egress"
)

// consumers reads the consumers, in the order of the file.
func (v value) consumers() ([]egress.Consumer, error) {
	return unique(v, value.consumer, func(c egress.Consumer) string { return c.Name })
}

// unique reads a list of entries with distinct names.
func unique[T any](v value, read func(value) (T, error), nameOf func(T) string) ([]T, error) {
	var all []T
	seen := map[string]int{}
	err := v.list(func(v value) error {
		one, err := read(v)
		if err != nil {
			return err
		}
		if line, twice := seen[nameOf(one)]; twice {
			return v.field("name").fail("%s is used twice; the other one is in line %d", nameOf(one), line)
		}
		seen[nameOf(one)] = v.line
		all = append(all, one)
		return nil
	})
	return all, err
}

func (v value) consumer() (egress.Consumer, error) {
	var c egress.Consumer
	err := v.fields(fields{
		"name": func(v value) error { return v.consumerName(&c.Name) },
		"url":  func(v value) error { return v.url(&c.URL) },
		"key":  func(v value) error { return v.key(&c.Key) },
		"when": func(v value) error { return v.ends(&c.When) },
	})
	switch {
	case err != nil:
		return c, err
	case c.Name == "":
		return c, v.field("name").fail("is missing")
	case c.URL == "":
		return c, v.field("url").fail("is missing")
	}
	return c, nil
}

func (v value) consumerName(into *string) error {
	if err := v.name(into); err != nil {
		return err
	}
	if egress.ReservedConsumerName(*into) {
		return v.fail("%s would be mistaken for one of Reelkeeper's own steps: use a name other than announce, corrected, part-…, …-part-<number> and …-corrected", *into)
	}
	return nil
}

// url rejects what can hold a credential, and never shows it.
func (v value) url(into *string) error {
	if err := v.text(into); err != nil {
		return err
	}
	u, err := url.Parse(*into)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return v.fail("want a URL that begins with http:// or https://")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return v.fail("has a user, a query or a fragment, which may hold a credential and would be stored in workflow histories; " +
			"let the consumer check the signature instead, or use REELKEEPER_ANNOUNCE_URL, which is not stored")
	}
	return nil
}

// key reads the name of an API key that we can sign with.
func (v value) key(into *string) error {
	if err := v.text(into); err != nil {
		return err
	}
	if !slices.Contains(v.keys, *into) {
		return v.fail("%q is not an API key in LIVEKIT_API_KEY or LIVEKIT_KEYS; want one of %s", *into, strings.Join(v.keys, ", "))
	}
	return nil
}
