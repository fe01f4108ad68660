package main

import (
	"encoding/json"
	"os"
	"strings"
	"time"
)

// faults are the controls that apply to one call: those among the resource's
// own inputs, overlaid with those that faults.json gives for "*" and then for
// the name in the resource's URN (for functions: the function's token).
type faults struct {
	cloud *cloud
	name  string
	set   props
}

// controls are the inputs of Object that steer faults.
var controls = []string{
	"createDelayMs", "updateDelayMs", "deleteDelayMs", "checkDelayMs", "diffDelayMs", "readDelayMs",
	"createAfterDelayMs", "updateAfterDelayMs", "deleteAfterDelayMs",
	"fail", "failTimes", "stall", "stallAfter", "crashBefore", "crashAfter", "partial",
	"unknownOutputs", "checkFails", "gone", "drift", "ignoreCancel", "diffMode", "refreshBeforeUpdate",
}

func (c *cloud) faultsFor(name string, from ...props) *faults {
	f := &faults{cloud: c, name: name, set: props{}}
	for _, p := range from {
		for _, k := range controls {
			if v, ok := p[k]; ok && !hasUnknown(v) {
				f.set[k] = plain(v)
			}
		}
	}
	path, err := c.path("faults.json")
	if err != nil {
		return f
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return f
	}
	var file map[string]map[string]any
	if err := json.Unmarshal(data, &file); err != nil {
		c.note(entry{Phase: "note", Method: "faults.json", Error: err.Error()})
		return f
	}
	for _, key := range []string{"*", name} {
		for k, v := range file[key] {
			f.set[k] = v
		}
	}
	return f
}

func (f *faults) listed(kind, method string) bool {
	switch t := f.set[kind].(type) {
	case string:
		return strings.EqualFold(t, method)
	case []any:
		for _, e := range t {
			if s, ok := e.(string); ok && strings.EqualFold(s, method) {
				return true
			}
		}
	}
	return false
}

// fires says whether a fault of this kind happens in this call. With
// failTimes, each kind fires only that often for each method and name.
func (f *faults) fires(kind, method string) bool {
	if !f.listed(kind, method) {
		return false
	}
	limit, bounded := num(f.set["failTimes"])
	if !bounded {
		return true
	}
	n, err := f.cloud.count(f.name + "." + kind + "." + strings.ToLower(method))
	return err != nil || float64(n) <= limit
}

func (f *faults) delay(key string) time.Duration {
	ms, _ := num(f.set[key])
	return time.Duration(ms * float64(time.Millisecond))
}
