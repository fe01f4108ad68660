package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// cloud is a directory that stands in for a cloud account:
//
//	objects/<id>.json   one file for each object that exists
//	counters/           how often each bounded fault has fired
//	faults.json         faults asked for from outside the program
//	calls.log           every call of every plugin process, one JSON line each, with an empty line
//	                    before it: a process that is killed while it writes may leave part of a line
type cloud struct {
	mu   sync.Mutex
	dir  string
	log  *os.File
	held [][]byte // log lines written before the directory was known
	seq  atomic.Int64
	tmp  atomic.Int64
}

type object struct {
	ID      string `json:"id"`
	URN     string `json:"urn"`
	Type    string `json:"type"`
	Inputs  props  `json:"inputs"`
	Outputs props  `json:"outputs"`
}

var errNoDir = errors.New("faultcloud has no directory: set the provider config `dir` or FAULTCLOUD_DIR")

// use points the cloud at a directory; an empty name changes nothing.
func (c *cloud) use(dir string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if dir == "" || dir == c.dir {
		return nil
	}
	for _, sub := range []string{"objects", "counters"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(filepath.Join(dir, "calls.log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if c.log != nil {
		c.log.Close()
	}
	c.dir, c.log = dir, f
	for _, line := range c.held {
		if _, err := f.Write(line); err != nil {
			return err
		}
	}
	c.held = nil
	return nil
}

func (c *cloud) path(parts ...string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dir == "" {
		return "", errNoDir
	}
	return filepath.Join(append([]string{c.dir}, parts...)...), nil
}

type entry struct {
	Seq       int64  `json:"seq"`
	Time      string `json:"time"`
	Pid       int    `json:"pid"`
	Phase     string `json:"phase"`
	Method    string `json:"method"`
	Call      int64  `json:"call,omitempty"` // seq of the matching start line
	Type      string `json:"type,omitempty"`
	Token     string `json:"token,omitempty"`
	URN       string `json:"urn,omitempty"`
	ID        string `json:"id,omitempty"`
	Preview   bool   `json:"preview,omitempty"`
	Version   string `json:"version,omitempty"`
	Inputs    any    `json:"inputs,omitempty"`
	OldInputs any    `json:"oldInputs,omitempty"`
	Olds      any    `json:"olds,omitempty"`
	Outputs   any    `json:"outputs,omitempty"`
	Note      string `json:"note,omitempty"`
	Error     string `json:"error,omitempty"`
}

// note appends one line to the log in a single write and returns its number.
func (c *cloud) note(e entry) int64 {
	e.Seq = c.seq.Add(1)
	e.Time = time.Now().UTC().Format("2006-01-02T15:04:05.000000000Z")
	e.Pid = os.Getpid()
	e.Inputs, e.OldInputs = jsonSafe(e.Inputs), jsonSafe(e.OldInputs)
	e.Olds, e.Outputs = jsonSafe(e.Olds), jsonSafe(e.Outputs)
	line, err := json.Marshal(e)
	if err != nil {
		line, _ = json.Marshal(entry{Seq: e.Seq, Time: e.Time, Pid: e.Pid, Phase: e.Phase,
			Method: e.Method, Call: e.Call, Note: "not encodable: " + err.Error()})
	}
	line = append(append([]byte{'\n'}, line...), '\n')
	c.mu.Lock()
	log := c.log
	if log == nil {
		c.held = append(c.held, line)
	}
	c.mu.Unlock()
	if log != nil {
		if _, err := log.Write(line); err != nil {
			fmt.Fprintln(os.Stderr, "faultcloud: calls.log:", err)
		}
	}
	return e.Seq
}

func fileSafe(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
			return r
		}
		return '_'
	}, name)
}

func (c *cloud) store(o object) error {
	path, err := c.path("objects", fileSafe(o.ID)+".json")
	if err != nil {
		return err
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	flat := map[string]any{"id": o.ID, "urn": o.URN, "type": o.Type,
		"inputs": jsonSafe(o.Inputs), "outputs": jsonSafe(o.Outputs)}
	if err := enc.Encode(flat); err != nil {
		return err
	}
	tmp := fmt.Sprintf("%s.%d.%d.tmp", path, os.Getpid(), c.tmp.Add(1))
	if err := os.WriteFile(tmp, buf.Bytes(), 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// load returns nil when there is no such object.
func (c *cloud) load(id string) (*object, error) {
	path, err := c.path("objects", fileSafe(id)+".json")
	if err != nil {
		return nil, err
	}
	return readObject(path)
}

func readObject(path string) (*object, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var o object
	if err := json.Unmarshal(data, &o); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	fromJSON(map[string]any(o.Inputs))
	fromJSON(map[string]any(o.Outputs))
	return &o, nil
}

// remove says whether there was something to remove.
func (c *cloud) remove(id string) (bool, error) {
	path, err := c.path("objects", fileSafe(id)+".json")
	if err != nil {
		return false, err
	}
	err = os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

func (c *cloud) findByName(name string) (*object, error) {
	dir, err := c.path("objects")
	if err != nil {
		return nil, err
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".json") {
			continue
		}
		o, err := readObject(filepath.Join(dir, f.Name()))
		if err != nil {
			return nil, err
		}
		if o != nil && str(o.Outputs["name"]) == name {
			return o, nil
		}
	}
	return nil, nil
}

// count adds one to a counter kept in the directory and returns its new value.
// The counter is the length of a file, so that processes can share it.
func (c *cloud) count(name string) (int64, error) {
	path, err := c.path("counters", fileSafe(name))
	if err != nil {
		return 0, err
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if _, err := f.Write([]byte{'x'}); err != nil {
		return 0, err
	}
	st, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return st.Size(), nil
}
