package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"sync"
)

// store is a directory that stands in for a cloud account.
type store struct {
	mu  sync.Mutex
	dir string
}

type object struct {
	ID      string         `json:"id"`
	URN     string         `json:"urn"`
	Outputs map[string]any `json:"outputs"`
}

// call is a line of the log: what reached the provider.
type call struct {
	Phase    string   `json:"phase"`
	Method   string   `json:"method"`
	URN      string   `json:"urn,omitempty"`
	Preview  bool     `json:"preview,omitempty"`
	Note     string   `json:"note,omitempty"`
	OldViews []string `json:"oldViews,omitempty"`
	Version  string   `json:"version"`
}

func (s *store) log(c call) {
	c.Phase, c.Version = "start", Version
	line, _ := json.Marshal(c)
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := os.OpenFile(filepath.Join(s.dir, "calls.log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return
	}
	defer f.Close()
	_, _ = f.Write(append(line, '\n'))
}

func (s *store) path(id string) string {
	return filepath.Join(s.dir, "objects", id+".json")
}

func (s *store) save(o object) error {
	if err := os.MkdirAll(filepath.Join(s.dir, "objects"), 0o755); err != nil {
		return err
	}
	text, err := json.Marshal(o)
	if err != nil {
		return err
	}
	return os.WriteFile(s.path(o.ID), text, 0o644)
}

func (s *store) load(id string) *object {
	text, err := os.ReadFile(s.path(id))
	if err != nil {
		return nil
	}
	var o object
	if json.Unmarshal(text, &o) != nil {
		return nil
	}
	return &o
}
