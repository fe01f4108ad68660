package main

import (
	"fmt"
	"math"
	"reflect"
	"sort"
	"strconv"
	"strings"

	"google.golang.org/protobuf/types/known/structpb"
)

// Property values stay in their wire form all the way through this plugin, so
// that whatever an engine sends (secrets, assets, references, byte strings) is
// stored and returned exactly as it came.

const (
	sigKey      = "4dabf18193072939515e22adb298388d"
	sigSecret   = "1b47061264138c4ac30d75fd1eb44270"
	sigOutput   = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
	sigAsset    = "c44067f5952c0a294b673a41bacd8c17"
	sigArchive  = "0def7320c3a5731c473e5ecbe6d01bc7"
	sigResource = "5cf8f73096256a8f31e491e813e4eb8e"

	unknownString = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
)

var unknowns = map[string]bool{
	unknownString:                          true,
	"1c4a061d-8072-4f0a-a4cb-0ff528b18fe7": true,
	"3eeb2bf0-c639-47a8-9e75-3b44932eb421": true,
	"6a19a0b0-7e62-4c92-b797-7f8e31da9cc2": true,
	"dd056dcd-154b-4c76-9bd3-c8f88648b5ff": true,
	"030794c1-ac77-496b-92df-f27374a8bd58": true,
	"e48ece36-62e2-4504-bad9-02848725956a": true,
}

// props is a property map in wire form.
type props map[string]any

func fromStruct(s *structpb.Struct) props {
	if s == nil {
		return nil
	}
	out := make(props, len(s.GetFields()))
	for k, v := range s.GetFields() {
		out[k] = fromValue(v)
	}
	return out
}

// fromValue is Value.AsInterface without its turning NaN and the infinities
// into strings.
func fromValue(v *structpb.Value) any {
	switch k := v.GetKind().(type) {
	case *structpb.Value_NumberValue:
		return k.NumberValue
	case *structpb.Value_StringValue:
		return k.StringValue
	case *structpb.Value_BoolValue:
		return k.BoolValue
	case *structpb.Value_StructValue:
		return map[string]any(fromStruct(k.StructValue))
	case *structpb.Value_ListValue:
		out := make([]any, len(k.ListValue.GetValues()))
		for i, e := range k.ListValue.GetValues() {
			out[i] = fromValue(e)
		}
		return out
	}
	return nil
}

func (p props) toStruct() (*structpb.Struct, error) {
	if p == nil {
		return nil, nil
	}
	return structpb.NewStruct(map[string]any(p))
}

func (p props) clone() props {
	out := make(props, len(p))
	for k, v := range p {
		out[k] = v
	}
	return out
}

func signature(v any) (string, map[string]any) {
	m, ok := v.(map[string]any)
	if !ok {
		return "", nil
	}
	s, _ := m[sigKey].(string)
	return s, m
}

func secret(v any) any {
	if s, _ := signature(v); s == sigSecret {
		return v
	}
	return map[string]any{sigKey: sigSecret, "value": v}
}

// bare removes secret and output wrappers around a value.
func bare(v any) any {
	for {
		s, m := signature(v)
		switch s {
		case sigSecret:
			v = m["value"]
		case sigOutput:
			inner, known := m["value"]
			if !known {
				return unknownString
			}
			v = inner
		default:
			return v
		}
	}
}

// plain removes wrappers at every depth and reduces assets, archives and
// references to what identifies them, which is what Diff compares.
func plain(v any) any {
	v = bare(v)
	switch t := v.(type) {
	case []any:
		out := make([]any, len(t))
		for i, e := range t {
			out[i] = plain(e)
		}
		return out
	case map[string]any:
		keep := func(keys ...string) map[string]any {
			out := map[string]any{sigKey: t[sigKey]}
			for _, k := range keys {
				if e, ok := t[k]; ok {
					out[k] = e
				}
			}
			return out
		}
		switch s, _ := signature(t); s {
		case sigAsset, sigArchive:
			if h, ok := t["hash"].(string); ok && h != "" {
				return keep("hash")
			}
			return t
		case sigResource:
			return keep("urn", "id")
		}
		out := make(map[string]any, len(t))
		for k, e := range t {
			out[k] = plain(e)
		}
		return out
	}
	return v
}

func isUnknown(v any) bool {
	s, ok := bare(v).(string)
	return ok && unknowns[s]
}

func hasUnknown(v any) bool {
	if isUnknown(v) {
		return true
	}
	switch t := bare(v).(type) {
	case []any:
		for _, e := range t {
			if hasUnknown(e) {
				return true
			}
		}
	case map[string]any:
		for _, e := range t {
			if hasUnknown(e) {
				return true
			}
		}
	}
	return false
}

func str(v any) string {
	s, _ := bare(v).(string)
	if unknowns[s] {
		return ""
	}
	return s
}

func num(v any) (float64, bool) {
	switch t := bare(v).(type) {
	case float64:
		return t, true
	case string:
		var f float64
		if _, err := fmt.Sscanf(t, "%g", &f); err == nil {
			return f, true
		}
	}
	return 0, false
}

func truthy(v any) bool {
	switch t := bare(v).(type) {
	case bool:
		return t
	case string:
		return t == "1" || strings.EqualFold(t, "true")
	}
	return false
}

// floatKey marks a number that JSON cannot carry, in files and in the log.
const floatKey = "__float"

// fromJSON undoes jsonSafe.
func fromJSON(v any) any {
	switch t := v.(type) {
	case []any:
		for i, e := range t {
			t[i] = fromJSON(e)
		}
	case map[string]any:
		if s, ok := t[floatKey].(string); ok && len(t) == 1 {
			if f, err := strconv.ParseFloat(s, 64); err == nil {
				return f
			}
		}
		for k, e := range t {
			t[k] = fromJSON(e)
		}
	}
	return v
}

// jsonSafe replaces the numbers JSON cannot carry.
func jsonSafe(v any) any {
	switch t := v.(type) {
	case float64:
		if math.IsNaN(t) || math.IsInf(t, 0) {
			return map[string]any{floatKey: fmt.Sprint(t)}
		}
	case []any:
		out := make([]any, len(t))
		for i, e := range t {
			out[i] = jsonSafe(e)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(t))
		for k, e := range t {
			out[k] = jsonSafe(e)
		}
		return out
	case props:
		if t == nil {
			return nil
		}
		return jsonSafe(map[string]any(t))
	}
	return v
}

type changeKind int

const (
	added changeKind = iota
	removed
	changed
)

type change struct {
	root string // the top-level property
	path string
	kind changeKind
}

func step(path, key string) string {
	simple := key != "" && !strings.ContainsAny(key, ".[]\"")
	switch {
	case simple && path == "":
		return key
	case simple:
		return path + "." + key
	}
	return path + `["` + strings.ReplaceAll(key, `"`, `\"`) + `"]`
}

// compare lists the differences between two property maps, leaf by leaf, in a
// stable order. Unknown new values count as changed.
func compare(olds, news props, skip func(string) bool) []change {
	var out []change
	var walk func(root, path string, a, b any, hasA, hasB bool)
	walk = func(root, path string, a, b any, hasA, hasB bool) {
		switch {
		case hasA && !hasB:
			out = append(out, change{root, path, removed})
			return
		case !hasA && hasB:
			out = append(out, change{root, path, added})
			return
		}
		if isUnknown(b) {
			out = append(out, change{root, path, changed})
			return
		}
		a, b = bare(a), bare(b)
		am, aok := a.(map[string]any)
		bm, bok := b.(map[string]any)
		if aok && bok {
			as, _ := signature(a)
			bs, _ := signature(b)
			if as == "" && bs == "" {
				for _, k := range unionKeys(am, bm) {
					av, ha := am[k]
					bv, hb := bm[k]
					walk(root, step(path, k), av, bv, ha, hb)
				}
				return
			}
		}
		al, aok := a.([]any)
		bl, bok := b.([]any)
		if aok && bok {
			for i := 0; i < len(al) || i < len(bl); i++ {
				var av, bv any
				if i < len(al) {
					av = al[i]
				}
				if i < len(bl) {
					bv = bl[i]
				}
				walk(root, fmt.Sprintf("%s[%d]", path, i), av, bv, i < len(al), i < len(bl))
			}
			return
		}
		if !reflect.DeepEqual(jsonSafe(plain(a)), jsonSafe(plain(b))) {
			out = append(out, change{root, path, changed})
		}
	}
	for _, k := range unionKeys(olds, news) {
		if skip != nil && skip(k) {
			continue
		}
		a, ha := olds[k]
		b, hb := news[k]
		walk(k, step("", k), a, b, ha, hb)
	}
	return out
}

func unionKeys(a, b map[string]any) []string {
	set := map[string]bool{}
	for k := range a {
		set[k] = true
	}
	for k := range b {
		set[k] = true
	}
	keys := make([]string, 0, len(set))
	for k := range set {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
