package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"
)

// The test binary serves as the plugin when this variable is set.
func TestMain(m *testing.M) {
	if os.Getenv("FAULTCLOUD_TEST_SERVE") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func urnOf(name string) string { return "urn:pulumi:dev::test::" + objectType + "::" + name }

func at(t *testing.T) (*provider, string) {
	t.Helper()
	dir := t.TempDir()
	c := &cloud{}
	if err := c.use(dir); err != nil {
		t.Fatal(err)
	}
	return newProvider(c), dir
}

func mk(t *testing.T, m map[string]any) *structpb.Struct {
	t.Helper()
	s, err := structpb.NewStruct(m)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func objects(t *testing.T, dir string) int {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "objects", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

func calls(t *testing.T, dir string) []entry {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, "calls.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []entry
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<24)
	for s.Scan() {
		if len(s.Bytes()) == 0 {
			continue
		}
		var e entry
		if err := json.Unmarshal(s.Bytes(), &e); err != nil {
			t.Fatalf("%v in %q", err, s.Text())
		}
		out = append(out, e)
	}
	return out
}

func TestLifeOfAnObject(t *testing.T) {
	p, dir := at(t)
	ctx := context.Background()
	in := mk(t, map[string]any{"value": []any{1, nil, "x"}, "secretValue": "s"})
	check, err := p.Check(ctx, &pulumirpc.CheckRequest{Urn: urnOf("a"), News: in, RandomSeed: []byte("seed")})
	if err != nil || len(check.Failures) != 0 {
		t.Fatal(err, check)
	}
	again, _ := p.Check(ctx, &pulumirpc.CheckRequest{Urn: urnOf("a"), News: in, RandomSeed: []byte("seed")})
	name := fromStruct(check.Inputs)["name"].(string)
	if !strings.HasPrefix(name, "a-") || name != fromStruct(again.Inputs)["name"] {
		t.Fatal("names are not made from the seed:", name)
	}
	if s, _ := signature(fromStruct(check.Inputs)["secretValue"]); s != sigSecret {
		t.Fatal("secretValue is not a secret")
	}

	preview, err := p.Create(ctx, &pulumirpc.CreateRequest{Urn: urnOf("a"), Properties: check.Inputs, Preview: true})
	if err != nil || preview.Id != "" || objects(t, dir) != 0 {
		t.Fatal("preview has an effect", err, preview)
	}
	made, err := p.Create(ctx, &pulumirpc.CreateRequest{Urn: urnOf("a"), Properties: check.Inputs})
	if err != nil || objects(t, dir) != 1 {
		t.Fatal(err)
	}
	out := fromStruct(made.Properties)
	if out["arn"] != "faultcloud:"+name || out["generation"] != 1.0 || out["size"] != 12.0 {
		t.Fatal(out)
	}

	read, err := p.Read(ctx, &pulumirpc.ReadRequest{Id: made.Id, Urn: urnOf("a")})
	if err != nil || read.Id != made.Id || fmt.Sprint(read.Properties) != fmt.Sprint(made.Properties) {
		t.Fatal(err, read)
	}
	found, err := p.Invoke(ctx, &pulumirpc.InvokeRequest{Tok: lookupTok, Args: mk(t, map[string]any{"name": name})})
	if err != nil || fromStruct(found.Return)["id"] != made.Id {
		t.Fatal(err, found)
	}

	news := check.Inputs.AsMap()
	news["value"] = []any{1, nil, "y"}
	diff, err := p.Diff(ctx, &pulumirpc.DiffRequest{Id: made.Id, Urn: urnOf("a"), Olds: made.Properties,
		OldInputs: check.Inputs, News: mk(t, news)})
	if err != nil || diff.Changes != pulumirpc.DiffResponse_DIFF_SOME || len(diff.Replaces) != 0 ||
		diff.DetailedDiff["value[2]"].GetKind() != pulumirpc.PropertyDiff_UPDATE {
		t.Fatal(err, diff)
	}
	up, err := p.Update(ctx, &pulumirpc.UpdateRequest{Id: made.Id, Urn: urnOf("a"), Olds: made.Properties,
		OldInputs: check.Inputs, News: mk(t, news)})
	if err != nil || fromStruct(up.Properties)["generation"] != 2.0 {
		t.Fatal(err, up)
	}
	for range 2 {
		if _, err := p.Delete(ctx, &pulumirpc.DeleteRequest{Id: made.Id, Urn: urnOf("a")}); err != nil {
			t.Fatal(err)
		}
	}
	log := calls(t, dir)
	if last := log[len(log)-1]; last.Method != "Delete" || last.Note != "missing" {
		t.Fatal("a second delete is not noted", last)
	}
	gone, err := p.Read(ctx, &pulumirpc.ReadRequest{Id: made.Id, Urn: urnOf("a")})
	if err != nil || gone.Id != "" {
		t.Fatal(err, gone)
	}
}

func TestDiffKinds(t *testing.T) {
	p, _ := at(t)
	base := map[string]any{"name": "n", "value": map[string]any{"a.b": 1, "same": 2}}
	for _, c := range []struct {
		change   map[string]any
		path     string
		kind     pulumirpc.PropertyDiff_Kind
		first    bool
		replaces bool
	}{
		{map[string]any{"replaceOn": 1}, "replaceOn", pulumirpc.PropertyDiff_ADD_REPLACE, false, true},
		{map[string]any{"replaceFirst": 1}, "replaceFirst", pulumirpc.PropertyDiff_ADD_REPLACE, true, true},
		{map[string]any{"name": "m"}, "name", pulumirpc.PropertyDiff_UPDATE_REPLACE, false, true},
		{map[string]any{"value": map[string]any{"same": 2}}, `value["a.b"]`, pulumirpc.PropertyDiff_DELETE, false, false},
		{map[string]any{"value": unknownString}, "value", pulumirpc.PropertyDiff_UPDATE, false, false},
		{map[string]any{"tags": map[string]any{}}, "tags", pulumirpc.PropertyDiff_ADD, false, false},
	} {
		news := map[string]any{}
		for k, v := range base {
			news[k] = v
		}
		for k, v := range c.change {
			news[k] = v
		}
		diff, err := p.Diff(context.Background(), &pulumirpc.DiffRequest{Id: "i", Urn: urnOf("a"),
			OldInputs: mk(t, base), News: mk(t, news)})
		if err != nil {
			t.Fatal(err)
		}
		got, ok := diff.DetailedDiff[c.path]
		if !ok || len(diff.DetailedDiff) != 1 || got.Kind != c.kind || diff.DeleteBeforeReplace != c.first ||
			(len(diff.Replaces) > 0) != c.replaces {
			t.Errorf("%v: %v", c.change, diff)
		}
	}
	wrapped := mk(t, map[string]any{"name": "n", "value": secret(base["value"])})
	diff, err := p.Diff(context.Background(), &pulumirpc.DiffRequest{Id: "i", Urn: urnOf("a"),
		OldInputs: mk(t, base), News: wrapped})
	if err != nil || diff.Changes != pulumirpc.DiffResponse_DIFF_NONE {
		t.Error("a value that turns secret counts as changed", diff, err)
	}
}

func TestProviderConfigDiff(t *testing.T) {
	p, _ := at(t)
	old := map[string]any{"region": "n", "token": "a", "version": "1.0.0"}
	for k, replace := range map[string]bool{"region": true, "token": false} {
		news := map[string]any{"region": "n", "token": "a", "version": "1.1.0"}
		news[k] = "other"
		diff, err := p.DiffConfig(context.Background(), &pulumirpc.DiffRequest{
			Urn: "urn:pulumi:dev::test::" + providerType + "::p", OldInputs: mk(t, old), News: mk(t, news)})
		if err != nil || len(diff.DetailedDiff) != 1 || (len(diff.Replaces) == 1) != replace {
			t.Error(k, diff, err)
		}
	}
}

func create(p *provider, t *testing.T, name string, more map[string]any) (*pulumirpc.CreateResponse, error) {
	in := map[string]any{"name": name}
	for k, v := range more {
		in[k] = v
	}
	return p.Create(context.Background(), &pulumirpc.CreateRequest{Urn: urnOf(name), Properties: mk(t, in)})
}

func TestFaults(t *testing.T) {
	p, dir := at(t)
	twice := map[string]any{"fail": []any{"create"}, "failTimes": 2}
	for i := range 3 {
		_, err := create(p, t, "twice", twice)
		if (i < 2) != (status.Code(err) == codes.Unknown) {
			t.Fatal(i, err)
		}
	}
	if objects(t, dir) != 1 {
		t.Fatal("a failed create has an effect")
	}

	_, err := create(p, t, "half", map[string]any{"partial": []any{"create"}})
	var detail *pulumirpc.ErrorResourceInitFailed
	for _, d := range status.Convert(err).Details() {
		detail, _ = d.(*pulumirpc.ErrorResourceInitFailed)
	}
	if detail == nil || detail.Id == "" || objects(t, dir) != 2 {
		t.Fatal("partial:", err)
	}

	faults := `{"*": {"checkFails": "all"}, "b": {"checkFails": "only b", "drift": {"value": 9}}}`
	if err := os.WriteFile(filepath.Join(dir, "faults.json"), []byte(faults), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, reason := range map[string]string{"a": "all", "b": "only b"} {
		check, err := p.Check(context.Background(), &pulumirpc.CheckRequest{Urn: urnOf(name), News: mk(t, nil)})
		if err != nil || len(check.Failures) != 1 || check.Failures[0].Reason != reason {
			t.Fatal(check, err)
		}
	}
	made, err := create(p, t, "b", nil)
	if err != nil {
		t.Fatal(err)
	}
	read, err := p.Read(context.Background(), &pulumirpc.ReadRequest{Id: made.Id, Urn: urnOf("b")})
	if err != nil || fromStruct(read.Properties)["value"] != 9.0 || fromStruct(read.Inputs)["value"] != 9.0 {
		t.Fatal("drift:", read, err)
	}

	preview, err := p.Create(context.Background(), &pulumirpc.CreateRequest{Urn: urnOf("u"), Preview: true,
		Properties: mk(t, map[string]any{"name": "u", "unknownOutputs": []any{"arn"}})})
	if err != nil || fromStruct(preview.Properties)["arn"] != unknownString {
		t.Fatal(preview, err)
	}
}

func TestCancelEndsDelaysButNotStalls(t *testing.T) {
	p, dir := at(t)
	delayed, stalled := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := create(p, t, "slow", map[string]any{"createDelayMs": 60000})
		delayed <- err
	}()
	go func() {
		_, err := create(p, t, "stuck", map[string]any{"stall": []any{"create"}})
		stalled <- err
	}()
	for p.stalled.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	if _, err := p.Cancel(context.Background(), &emptypb.Empty{}); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-delayed:
		if status.Code(err) != codes.Canceled {
			t.Fatal(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Cancel does not end a delay")
	}
	select {
	case err := <-stalled:
		t.Fatal("a stall ended:", err)
	case <-time.After(50 * time.Millisecond):
	}
	if objects(t, dir) != 0 {
		t.Fatal("a canceled create has an effect")
	}
}

func TestTimeout(t *testing.T) {
	p, _ := at(t)
	_, err := p.Create(context.Background(), &pulumirpc.CreateRequest{Urn: urnOf("late"), Timeout: 0.01,
		Properties: mk(t, map[string]any{"name": "late", "createDelayMs": 60000})})
	if err == nil || !strings.Contains(err.Error(), "timed out") {
		t.Fatal(err)
	}
}

// TestProcess drives the plugin as an engine does: port line, handshake, many
// creates at once, and a crash after the effect.
func TestProcess(t *testing.T) {
	dir := t.TempDir()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "127.0.0.1:1")
	cmd.Env = append(os.Environ(), "FAULTCLOUD_TEST_SERVE=1", "FAULTCLOUD_DIR="+dir)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }()
	var port int
	if _, err := fmt.Fscanf(stdout, "%d\n", &port); err != nil {
		t.Fatal(err)
	}
	conn, err := grpc.NewClient(fmt.Sprintf("127.0.0.1:%d", port),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := pulumirpc.NewResourceProviderClient(conn)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	hs, err := client.Handshake(ctx, &pulumirpc.ProviderHandshakeRequest{EngineAddress: "127.0.0.1:1"})
	if err != nil || !hs.AcceptSecrets || !hs.AcceptResources || !hs.AcceptOutputs {
		t.Fatal(hs, err)
	}
	info, err := client.GetPluginInfo(ctx, &emptypb.Empty{})
	if err != nil || info.Version != Version {
		t.Fatal(info, err)
	}
	schema, err := client.GetSchema(ctx, &pulumirpc.GetSchemaRequest{})
	if err != nil || !json.Valid([]byte(schema.GetSchema())) {
		t.Fatal(err)
	}

	const many = 2000
	begin := time.Now()
	var wg sync.WaitGroup
	ids := sync.Map{}
	for i := range many {
		wg.Go(func() {
			name := fmt.Sprintf("o%d", i)
			resp, err := client.Create(ctx, &pulumirpc.CreateRequest{Urn: urnOf(name),
				Properties: mk(t, map[string]any{"name": name, "createDelayMs": 200, "createAfterDelayMs": 100})})
			if err != nil {
				t.Error(err)
				return
			}
			ids.Store(resp.Id, true)
		})
	}
	wg.Wait()
	took := time.Since(begin)
	t.Logf("%d creates of 300 ms at once took %v", many, took)
	if took > 20*time.Second {
		t.Error("delays are not concurrent")
	}
	if n := objects(t, dir); n != many {
		t.Error("objects:", n)
	}

	_, err = client.Create(ctx, &pulumirpc.CreateRequest{Urn: urnOf("crash"),
		Properties: mk(t, map[string]any{"name": "crash", "crashAfter": []any{"create"}})})
	if status.Code(err) != codes.Unavailable {
		t.Error("crash:", err)
	}
	err = cmd.Wait()
	if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 137 {
		t.Error("crash:", err)
	}
	if n := objects(t, dir); n != many+1 {
		t.Error("the crash came before the effect")
	}
	starts, ends := 0, 0
	for _, e := range calls(t, dir) {
		if e.Method == "Create" && e.Phase == "start" {
			starts++
		}
		if e.Method == "Create" && e.Phase == "end" {
			ends++
		}
	}
	if starts != many+1 || ends != many {
		t.Error("log:", starts, ends)
	}
}
