package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"
	"sync"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"
)

const base = "shapecloud"

type provider struct {
	pulumirpc.UnimplementedResourceProviderServer
	store store

	mu         sync.Mutex
	pkg        string            // the package that is served
	pkgVersion string            // its version
	kind       string            // the parameter
	extensions map[string]string // values of extensions by module
}

func newProvider(dir string) *provider {
	return &provider{store: store{dir: dir}, pkg: base, pkgVersion: Version, kind: "plain",
		extensions: map[string]string{}}
}

func (p *provider) Handshake(
	context.Context, *pulumirpc.ProviderHandshakeRequest,
) (*pulumirpc.ProviderHandshakeResponse, error) {
	return &pulumirpc.ProviderHandshakeResponse{AcceptSecrets: true, AcceptResources: true, AcceptOutputs: true}, nil
}

func (p *provider) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: Version}, nil
}

func (p *provider) Parameterize(
	_ context.Context, req *pulumirpc.ParameterizeRequest,
) (*pulumirpc.ParameterizeResponse, error) {
	name, version, value := "", "1.0.0", ""
	if given := req.GetValue(); given != nil {
		name, version, value = given.GetName(), given.GetVersion(), string(given.GetValue())
	} else if args := req.GetArgs().GetArgs(); len(args) == 1 {
		name, value = args[0], args[0]
	} else {
		return nil, status.Error(codes.InvalidArgument, "shapecloud takes one argument: the package's name")
	}
	p.store.log(call{Method: "Parameterize", Note: name + "@" + version + ":" + value})
	p.mu.Lock()
	defer p.mu.Unlock()
	if module, ok := strings.CutPrefix(name, "ext-"); ok {
		p.extensions[module] = value
	} else {
		p.pkg, p.pkgVersion, p.kind = name, version, value
	}
	return &pulumirpc.ParameterizeResponse{Name: name, Version: version}, nil
}

func (p *provider) GetSchema(
	context.Context, *pulumirpc.GetSchemaRequest,
) (*pulumirpc.GetSchemaResponse, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	anything := map[string]any{"$ref": "pulumi.json#/Any"}
	inputs := map[string]any{"value": anything, "parts": map[string]any{"type": "integer"}, "sides": map[string]any{"type": "integer"}}
	outputs := map[string]any{"kind": map[string]any{"type": "string"}, "madeBy": map[string]any{"type": "string"}}
	for k, v := range inputs {
		outputs[k] = v
	}
	shape := map[string]any{"type": "object", "properties": outputs, "inputProperties": inputs}
	resources := map[string]any{p.pkg + ":index:Shape": shape}
	for module := range p.extensions {
		resources[p.pkg+":"+module+":Shape"] = shape
	}
	text, err := json.Marshal(map[string]any{
		"name": p.pkg, "version": p.pkgVersion, "meta": map[string]any{"moduleFormat": "(.*)"},
		"resources": resources,
		"functions": map[string]any{p.pkg + ":index:kindOf": map[string]any{
			"inputs":  map[string]any{"type": "object", "properties": map[string]any{}},
			"outputs": map[string]any{"type": "object", "properties": map[string]any{"kind": map[string]any{"type": "string"}}},
		}},
	})
	return &pulumirpc.GetSchemaResponse{Schema: string(text)}, err
}

func (p *provider) CheckConfig(_ context.Context, req *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	return &pulumirpc.CheckResponse{Inputs: req.GetNews()}, nil
}

func (p *provider) DiffConfig(context.Context, *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	return &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_NONE}, nil
}

func (p *provider) Configure(_ context.Context, req *pulumirpc.ConfigureRequest) (*pulumirpc.ConfigureResponse, error) {
	return &pulumirpc.ConfigureResponse{AcceptSecrets: true, SupportsPreview: true, AcceptResources: true, AcceptOutputs: true}, nil
}

// kindOf is the parameter that made a type, or an error if nothing has.
func (p *provider) kindOf(urn string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	types := strings.SplitN(urn, "::", 4)[2]
	parts := strings.Split(types[strings.LastIndex(types, "$")+1:], ":")
	if len(parts) == 3 && parts[0] == p.pkg && parts[2] == "Shape" {
		if parts[1] == "index" {
			return p.kind, nil
		}
		if kind, ok := p.extensions[parts[1]]; ok {
			return kind, nil
		}
	}
	return "", status.Errorf(codes.InvalidArgument, "shapecloud as %s has no type %q", p.pkg, strings.Join(parts, ":"))
}

func (p *provider) Check(_ context.Context, req *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	if _, err := p.kindOf(req.GetUrn()); err != nil {
		return nil, err
	}
	return &pulumirpc.CheckResponse{Inputs: req.GetNews()}, nil
}

func (p *provider) Diff(_ context.Context, req *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	p.store.log(call{Method: "Diff", URN: req.GetUrn()})
	old, news := req.GetOldInputs().AsMap(), req.GetNews().AsMap()
	resp := &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_NONE}
	note := func(key string) {
		resp.Changes = pulumirpc.DiffResponse_DIFF_SOME
		resp.Diffs = append(resp.Diffs, key)
	}
	for _, key := range []string{"value", "parts", "sides"} {
		if !reflect.DeepEqual(old[key], news[key]) {
			note(key)
			if key == "sides" {
				resp.Replaces = append(resp.Replaces, key)
			}
		}
	}
	made, _ := req.GetOlds().AsMap()["madeBy"].(string)
	if Version >= "2" && made < "2" {
		note("madeBy")
	}
	return resp, nil
}

func (p *provider) outputs(urn string, inputs map[string]any) (map[string]any, *structpb.Struct, error) {
	kind, err := p.kindOf(urn)
	if err != nil {
		return nil, nil, err
	}
	out := map[string]any{"kind": kind, "madeBy": Version}
	for k, v := range inputs {
		out[k] = v
	}
	s, err := structpb.NewStruct(out)
	return out, s, err
}

func (p *provider) Create(_ context.Context, req *pulumirpc.CreateRequest) (*pulumirpc.CreateResponse, error) {
	p.store.log(call{Method: "Create", URN: req.GetUrn(), Preview: req.GetPreview()})
	out, s, err := p.outputs(req.GetUrn(), req.GetProperties().AsMap())
	if err != nil {
		return nil, err
	}
	steps := p.created(req.GetUrn(), out)
	if err := publish(req.GetResourceStatusAddress(), req.GetResourceStatusToken(), steps); err != nil {
		return nil, err
	}
	if req.GetPreview() {
		return &pulumirpc.CreateResponse{Properties: s}, nil
	}
	suffix := make([]byte, 4)
	_, _ = rand.Read(suffix)
	id := nameOf(req.GetUrn()) + "-" + hex.EncodeToString(suffix)
	if err := p.store.save(object{ID: id, URN: req.GetUrn(), Outputs: out}); err != nil {
		return nil, err
	}
	return &pulumirpc.CreateResponse{Id: id, Properties: s}, nil
}

func (p *provider) Update(_ context.Context, req *pulumirpc.UpdateRequest) (*pulumirpc.UpdateResponse, error) {
	p.store.log(call{Method: "Update", URN: req.GetUrn(), Preview: req.GetPreview(), OldViews: names(req.GetOldViews())})
	out, s, err := p.outputs(req.GetUrn(), req.GetNews().AsMap())
	if err != nil {
		return nil, err
	}
	steps := p.updated(req.GetUrn(), req.GetOldViews(), out)
	if err := publish(req.GetResourceStatusAddress(), req.GetResourceStatusToken(), steps); err != nil {
		return nil, err
	}
	if !req.GetPreview() {
		if err := p.store.save(object{ID: req.GetId(), URN: req.GetUrn(), Outputs: out}); err != nil {
			return nil, err
		}
	}
	return &pulumirpc.UpdateResponse{Properties: s}, nil
}

func (p *provider) Read(_ context.Context, req *pulumirpc.ReadRequest) (*pulumirpc.ReadResponse, error) {
	p.store.log(call{Method: "Read", URN: req.GetUrn(), OldViews: names(req.GetOldViews())})
	found := p.store.load(req.GetId())
	if found == nil {
		return &pulumirpc.ReadResponse{}, nil
	}
	steps := p.refreshed(req.GetUrn(), req.GetOldViews(), found.Outputs)
	if err := publish(req.GetResourceStatusAddress(), req.GetResourceStatusToken(), steps); err != nil {
		return nil, err
	}
	out, err := structpb.NewStruct(found.Outputs)
	if err != nil {
		return nil, err
	}
	inputs := map[string]any{}
	for _, key := range []string{"value", "parts", "sides"} {
		if v, ok := found.Outputs[key]; ok {
			inputs[key] = v
		}
	}
	in, err := structpb.NewStruct(inputs)
	return &pulumirpc.ReadResponse{Id: req.GetId(), Properties: out, Inputs: in}, err
}

func (p *provider) Delete(_ context.Context, req *pulumirpc.DeleteRequest) (*emptypb.Empty, error) {
	p.store.log(call{Method: "Delete", URN: req.GetUrn(), OldViews: names(req.GetOldViews())})
	steps := deleted(req.GetOldViews())
	if err := publish(req.GetResourceStatusAddress(), req.GetResourceStatusToken(), steps); err != nil {
		return nil, err
	}
	if err := os.Remove(p.store.path(req.GetId())); err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	return &emptypb.Empty{}, nil
}

func (p *provider) Invoke(_ context.Context, req *pulumirpc.InvokeRequest) (*pulumirpc.InvokeResponse, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.store.log(call{Method: "Invoke", Note: req.GetTok()})
	if req.GetTok() != p.pkg+":index:kindOf" {
		return nil, status.Errorf(codes.InvalidArgument, "shapecloud as %s has no function %q", p.pkg, req.GetTok())
	}
	out, err := structpb.NewStruct(map[string]any{"kind": p.kind})
	return &pulumirpc.InvokeResponse{Return: out}, err
}

func (p *provider) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

func nameOf(urn string) string {
	return urn[strings.LastIndex(urn, "::")+2:]
}

func count(outputs map[string]any) int {
	n, _ := outputs["parts"].(float64)
	return int(n)
}

func partName(urn string, i int) string {
	return fmt.Sprintf("%s-%d", nameOf(urn), i)
}
