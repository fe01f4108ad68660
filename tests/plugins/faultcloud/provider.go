package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"
)

const (
	objectType   = "faultcloud:index:Object"
	groupType    = "faultcloud:index:Group"
	describeTok  = "faultcloud:index:Group/describe"
	lookupTok    = "faultcloud:index:lookup"
	echoTok      = "faultcloud:index:echo"
	secretTok    = "faultcloud:index:secretEcho"
	providerType = "pulumi:providers:faultcloud"
)

//go:embed schema.json
var schemaText []byte

type provider struct {
	pulumirpc.UnimplementedResourceProviderServer
	cloud    *cloud
	engine   engineConn
	stalled  atomic.Int64
	canceled chan struct{}
	cancel   sync.Once
	serial   chan struct{} // holds one token while a serial provider works
}

func newProvider(c *cloud) *provider {
	return &provider{cloud: c, canceled: make(chan struct{})}
}

// engineConn is the connection to the engine, made when first needed.
type engineConn struct {
	mu   sync.Mutex
	addr string
	conn *grpc.ClientConn
}

func (e *engineConn) set(addr string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.addr = addr
}

func (e *engineConn) get() (*grpc.ClientConn, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.conn == nil {
		if e.addr == "" {
			return nil, status.Error(codes.FailedPrecondition, "no engine address was given")
		}
		conn, err := grpc.NewClient(e.addr,
			grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(400<<20), grpc.MaxCallSendMsgSize(400<<20)))
		if err != nil {
			return nil, err
		}
		e.conn = conn
	}
	return e.conn, nil
}

func urnName(urn string) string {
	if i := strings.LastIndex(urn, "::"); i >= 0 {
		return urn[i+2:]
	}
	return urn
}

func urnType(urn string) string {
	parts := strings.SplitN(urn, "::", 4)
	if len(parts) < 4 {
		return ""
	}
	types := parts[2]
	return types[strings.LastIndex(types, "$")+1:]
}

// request describes one call for the log and for the choice of faults.
type request struct {
	method  string // as logged
	fault   string // as named in fault lists; the method's name if empty
	urn     string
	id      string
	token   string
	preview bool
	inputs  props
	olds    props
	oldIn   props
	timeout float64
	from    []props // where fault controls are read from
}

// answer is what a call did, for the end line of the log.
type answer struct {
	id      string
	outputs props
	note    string
}

// serve logs a call, applies the faults asked for, and runs the body, which
// has the effect. The order is: stall, crashBefore, delay, fail, the effect,
// crashAfter, stallAfter, the delay after.
func serve[T any](p *provider, r request, body func(f *faults, a *answer) (T, error)) (T, error) {
	var zero T
	c := p.cloud
	call := c.note(entry{Phase: "start", Method: r.method, URN: r.urn, ID: r.id, Token: r.token,
		Type: urnType(r.urn), Preview: r.preview, Inputs: r.inputs, Olds: r.olds, OldInputs: r.oldIn})
	name := r.token
	if r.urn != "" {
		name = urnName(r.urn)
	}
	f := c.faultsFor(name, r.from...)
	method := r.fault
	if method == "" {
		method = r.method
	}
	key := strings.ToLower(method[:1]) + method[1:]

	mark := func(phase string) {
		c.note(entry{Phase: phase, Method: r.method, Call: call, URN: r.urn, ID: r.id})
	}
	end := func(a answer, err error) {
		e := entry{Phase: "end", Method: r.method, Call: call, URN: r.urn, ID: r.id, Token: r.token,
			Preview: r.preview, Outputs: a.outputs, Note: a.note}
		if a.id != "" {
			e.ID = a.id
		}
		if err != nil {
			e.Error = err.Error()
		}
		c.note(e)
	}
	stall := func() {
		p.stalled.Add(1)
		mark("stall")
		select {}
	}
	crash := func() {
		mark("crash")
		os.Exit(137)
	}

	if f.fires("stall", method) {
		stall()
	}
	if f.fires("crashBefore", method) {
		crash()
	}
	if p.serial != nil && slices.Contains([]string{"Create", "Update", "Delete"}, r.method) {
		p.serial <- struct{}{}
		defer func() { <-p.serial }()
	}
	err := p.wait(f, f.delay(key+"DelayMs"), r.timeout)
	if err == nil && f.fires("fail", method) {
		err = status.Errorf(codes.Unknown, "faultcloud: %s of %q fails on demand", key, name)
	}
	if err != nil {
		end(answer{}, err)
		return zero, err
	}

	var a answer
	out, err := body(f, &a)
	if f.fires("crashAfter", method) {
		crash()
	}
	if f.fires("stallAfter", method) {
		stall()
	}
	if werr := p.wait(f, f.delay(key+"AfterDelayMs"), 0); werr != nil && err == nil {
		a.note = "canceled after the effect"
	}
	end(a, err)
	if err != nil {
		return zero, err
	}
	return out, nil
}

// wait lets a delay pass. Cancel ends it with an error, and so does a custom
// timeout shorter than the delay.
func (p *provider) wait(f *faults, d time.Duration, timeout float64) error {
	if d <= 0 {
		return nil
	}
	limit := time.Duration(timeout * float64(time.Second))
	late := limit > 0 && limit < d
	if late {
		d = limit
	}
	canceled := p.canceled
	if truthy(f.set["ignoreCancel"]) {
		canceled = nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-canceled:
		return status.Error(codes.Canceled, "faultcloud: the operation was canceled")
	}
	if late {
		return status.Errorf(codes.Unknown, "faultcloud: timed out after %v", limit)
	}
	return nil
}

func (p *provider) Handshake(
	_ context.Context, req *pulumirpc.ProviderHandshakeRequest,
) (*pulumirpc.ProviderHandshakeResponse, error) {
	return serve(p, request{method: "Handshake"}, func(*faults, *answer) (*pulumirpc.ProviderHandshakeResponse, error) {
		if addr := req.GetEngineAddress(); addr != "" {
			p.engine.set(addr)
		}
		return &pulumirpc.ProviderHandshakeResponse{
			AcceptSecrets:                   true,
			AcceptResources:                 true,
			AcceptOutputs:                   true,
			SupportsAutonamingConfiguration: true,
			AcceptsByteString:               true,
		}, nil
	})
}

func (p *provider) Attach(_ context.Context, req *pulumirpc.PluginAttach) (*emptypb.Empty, error) {
	return serve(p, request{method: "Attach"}, func(*faults, *answer) (*emptypb.Empty, error) {
		p.engine.set(req.GetAddress())
		return &emptypb.Empty{}, nil
	})
}

func (p *provider) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return serve(p, request{method: "GetPluginInfo"}, func(*faults, *answer) (*pulumirpc.PluginInfo, error) {
		return &pulumirpc.PluginInfo{Version: Version}, nil
	})
}

func (p *provider) GetSchema(
	_ context.Context, req *pulumirpc.GetSchemaRequest,
) (*pulumirpc.GetSchemaResponse, error) {
	return serve(p, request{method: "GetSchema"}, func(*faults, *answer) (*pulumirpc.GetSchemaResponse, error) {
		var doc map[string]any
		if err := json.Unmarshal(schemaText, &doc); err != nil {
			return nil, err
		}
		doc["version"] = Version
		text, err := json.Marshal(doc)
		if err != nil {
			return nil, err
		}
		return &pulumirpc.GetSchemaResponse{Schema: string(text)}, nil
	})
}

func (p *provider) GetMapping(
	context.Context, *pulumirpc.GetMappingRequest,
) (*pulumirpc.GetMappingResponse, error) {
	return &pulumirpc.GetMappingResponse{}, nil
}

func (p *provider) GetMappings(
	context.Context, *pulumirpc.GetMappingsRequest,
) (*pulumirpc.GetMappingsResponse, error) {
	return &pulumirpc.GetMappingsResponse{}, nil
}

func (p *provider) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	call := p.cloud.note(entry{Phase: "start", Method: "Cancel"})
	p.cancel.Do(func() { close(p.canceled) })
	p.cloud.note(entry{Phase: "end", Method: "Cancel", Call: call})
	return &emptypb.Empty{}, nil
}

func (p *provider) CheckConfig(_ context.Context, req *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	news := fromStruct(req.GetNews())
	if err := p.cloud.use(str(news["dir"])); err != nil {
		return nil, err
	}
	r := request{method: "CheckConfig", urn: req.GetUrn(), inputs: news, olds: fromStruct(req.GetOlds())}
	return serve(p, r, func(f *faults, _ *answer) (*pulumirpc.CheckResponse, error) {
		resp := &pulumirpc.CheckResponse{Inputs: req.GetNews()}
		if reason := str(f.set["checkFails"]); reason != "" {
			resp.Failures = []*pulumirpc.CheckFailure{{Property: "region", Reason: reason}}
		}
		return resp, nil
	})
}

// engineKeys are provider inputs that belong to the engine.
func engineKeys(k string) bool {
	return strings.HasPrefix(k, "__") || k == "version" || k == "pluginDownloadURL" || k == "pluginChecksums"
}

func (p *provider) DiffConfig(_ context.Context, req *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	r := request{method: "DiffConfig", urn: req.GetUrn(), id: req.GetId(), inputs: fromStruct(req.GetNews()),
		olds: fromStruct(req.GetOlds()), oldIn: fromStruct(req.GetOldInputs())}
	return serve(p, r, func(f *faults, _ *answer) (*pulumirpc.DiffResponse, error) {
		old := r.oldIn
		if old == nil {
			old = r.olds
		}
		changes := compare(old, r.inputs, engineKeys)
		return diffResponse(changes, func(root string) bool { return root == "region" }, false), nil
	})
}

func (p *provider) Configure(
	_ context.Context, req *pulumirpc.ConfigureRequest,
) (*pulumirpc.ConfigureResponse, error) {
	args := fromStruct(req.GetArgs())
	if err := p.cloud.use(str(args["dir"])); err != nil {
		return nil, err
	}
	urn := req.GetUrn()
	if urn == "" {
		urn = "urn:pulumi:unknown::unknown::" + providerType + "::default"
	}
	r := request{method: "Configure", urn: urn, id: req.GetId(), inputs: args}
	return serve(p, r, func(*faults, *answer) (*pulumirpc.ConfigureResponse, error) {
		if _, err := p.cloud.path(); err != nil {
			return nil, status.Error(codes.Unknown, err.Error())
		}
		if truthy(args["serial"]) {
			p.serial = make(chan struct{}, 1)
		}
		return &pulumirpc.ConfigureResponse{
			AcceptSecrets:                   true,
			SupportsPreview:                 true,
			AcceptResources:                 true,
			AcceptOutputs:                   true,
			SupportsAutonamingConfiguration: true,
		}, nil
	})
}

func onlyObject(urn string) error {
	if t := urnType(urn); t != objectType {
		return status.Errorf(codes.InvalidArgument, "faultcloud has no resource type %q", t)
	}
	return nil
}

func (p *provider) Check(_ context.Context, req *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	news, olds := fromStruct(req.GetNews()), fromStruct(req.GetOlds())
	r := request{method: "Check", urn: req.GetUrn(), inputs: news, olds: olds, from: []props{news}}
	return serve(p, r, func(f *faults, a *answer) (*pulumirpc.CheckResponse, error) {
		if err := onlyObject(r.urn); err != nil {
			return nil, err
		}
		out := news.clone()
		if _, given := out["name"]; !given {
			name, failure := autoname(req, olds)
			if failure != nil {
				return &pulumirpc.CheckResponse{Failures: []*pulumirpc.CheckFailure{failure}}, nil
			}
			out["name"] = name
		}
		if v, ok := out["secretValue"]; ok {
			out["secretValue"] = secret(v)
		}
		a.outputs = out
		s, err := out.toStruct()
		if err != nil {
			return nil, err
		}
		resp := &pulumirpc.CheckResponse{Inputs: s}
		if reason := str(f.set["checkFails"]); reason != "" {
			resp.Failures = []*pulumirpc.CheckFailure{{Property: "value", Reason: reason}}
		}
		return resp, nil
	})
}

// autoname chooses a physical name: the one in use, else what the engine's
// autonaming settings say, else the logical name and a random suffix.
func autoname(req *pulumirpc.CheckRequest, olds props) (string, *pulumirpc.CheckFailure) {
	if old := str(olds["name"]); old != "" {
		return old, nil
	}
	if auto := req.GetAutonaming(); auto != nil {
		switch auto.GetMode() {
		case pulumirpc.CheckRequest_AutonamingOptions_DISABLE:
			return "", &pulumirpc.CheckFailure{Property: "name",
				Reason: "a name must be given: automatic naming is disabled"}
		default:
			if auto.GetProposedName() != "" {
				return auto.GetProposedName(), nil
			}
		}
	}
	seed := req.GetRandomSeed()
	if len(seed) == 0 {
		seed = make([]byte, 32)
		_, _ = rand.Read(seed)
	}
	sum := sha256.Sum256(append([]byte(req.GetUrn()+"\x00"), seed...))
	return urnName(req.GetUrn()) + "-" + hex.EncodeToString(sum[:])[:7], nil
}

func (p *provider) Diff(_ context.Context, req *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	r := request{method: "Diff", urn: req.GetUrn(), id: req.GetId(), inputs: fromStruct(req.GetNews()),
		olds: fromStruct(req.GetOlds()), oldIn: fromStruct(req.GetOldInputs())}
	r.from = []props{r.inputs}
	return serve(p, r, func(f *faults, a *answer) (*pulumirpc.DiffResponse, error) {
		if err := onlyObject(r.urn); err != nil {
			return nil, err
		}
		old := r.oldIn
		if old == nil {
			old = r.olds.clone()
			for _, k := range computed {
				delete(old, k)
			}
		}
		changes := compare(old, r.inputs, func(k string) bool { return strings.HasPrefix(k, "__") })
		replaces := func(root string) bool {
			return root == "name" || root == "replaceOn" || root == "replaceFirst"
		}
		first := slices.ContainsFunc(changes, func(c change) bool { return c.root == "replaceFirst" })
		resp := diffResponse(changes, replaces, first)
		switch str(f.set["diffMode"]) {
		case "plain":
			resp.DetailedDiff, resp.HasDetailedDiff = nil, false
		case "unknown":
			resp = &pulumirpc.DiffResponse{}
		}
		a.note = resp.GetChanges().String()
		return resp, nil
	})
}

func diffResponse(changes []change, replaces func(root string) bool, first bool) *pulumirpc.DiffResponse {
	resp := &pulumirpc.DiffResponse{
		Changes:         pulumirpc.DiffResponse_DIFF_NONE,
		HasDetailedDiff: true,
		DetailedDiff:    map[string]*pulumirpc.PropertyDiff{},
	}
	for _, c := range changes {
		resp.Changes = pulumirpc.DiffResponse_DIFF_SOME
		again := replaces(c.root)
		kind := pulumirpc.PropertyDiff_UPDATE
		switch {
		case c.kind == added && again:
			kind = pulumirpc.PropertyDiff_ADD_REPLACE
		case c.kind == added:
			kind = pulumirpc.PropertyDiff_ADD
		case c.kind == removed && again:
			kind = pulumirpc.PropertyDiff_DELETE_REPLACE
		case c.kind == removed:
			kind = pulumirpc.PropertyDiff_DELETE
		case again:
			kind = pulumirpc.PropertyDiff_UPDATE_REPLACE
		}
		resp.DetailedDiff[c.path] = &pulumirpc.PropertyDiff{Kind: kind, InputDiff: true}
		if !slices.Contains(resp.Diffs, c.root) {
			resp.Diffs = append(resp.Diffs, c.root)
			if again {
				resp.Replaces = append(resp.Replaces, c.root)
			}
		}
	}
	resp.DeleteBeforeReplace = first
	return resp
}

// computed are the outputs that are not inputs.
var computed = []string{"arn", "generation", "secretOutput", "size"}

func outputsFor(inputs props, generation float64) props {
	out := inputs.clone()
	out["generation"] = generation
	if name := inputs["name"]; isUnknown(name) {
		out["arn"] = unknownString
		out["secretOutput"] = secret(unknownString)
	} else {
		out["arn"] = "faultcloud:" + str(name)
		out["secretOutput"] = secret("secret of " + str(name))
	}
	if value, given := inputs["value"]; !given {
		out["size"] = float64(0)
	} else if hasUnknown(value) {
		out["size"] = unknownString
	} else {
		text, _ := json.Marshal(jsonSafe(plain(value)))
		out["size"] = float64(len(text))
	}
	return out
}

func hideOutputs(f *faults, out props) {
	names, _ := f.set["unknownOutputs"].([]any)
	for _, n := range names {
		if s, ok := n.(string); ok {
			out[s] = unknownString
		}
	}
}

func initFailed(id string, out *structpb.Struct, method string) error {
	st := status.New(codes.Unknown, "faultcloud: "+method+" happened in part, on demand")
	st, err := st.WithDetails(&pulumirpc.ErrorResourceInitFailed{
		Id: id, Properties: out, Reasons: []string{"faultcloud: the object is not ready"}})
	if err != nil {
		return err
	}
	return st.Err()
}

func (p *provider) Create(_ context.Context, req *pulumirpc.CreateRequest) (*pulumirpc.CreateResponse, error) {
	r := request{method: "Create", urn: req.GetUrn(), preview: req.GetPreview(),
		inputs: fromStruct(req.GetProperties()), timeout: req.GetTimeout()}
	r.from = []props{r.inputs}
	if r.preview {
		r.fault = "previewCreate"
	}
	return serve(p, r, func(f *faults, a *answer) (*pulumirpc.CreateResponse, error) {
		if err := onlyObject(r.urn); err != nil {
			return nil, err
		}
		out := outputsFor(r.inputs, 1)
		id := ""
		if r.preview {
			hideOutputs(f, out)
		} else {
			var tail [4]byte
			_, _ = rand.Read(tail[:])
			id = fileSafe(str(r.inputs["name"])) + "-" + hex.EncodeToString(tail[:])
			err := p.cloud.store(object{ID: id, URN: r.urn, Type: objectType, Inputs: r.inputs, Outputs: out})
			if err != nil {
				return nil, status.Error(codes.Unknown, err.Error())
			}
		}
		a.id, a.outputs = id, out
		s, err := out.toStruct()
		if err != nil {
			return nil, err
		}
		if !r.preview && f.fires("partial", "create") {
			return nil, initFailed(id, s, "create")
		}
		return &pulumirpc.CreateResponse{Id: id, Properties: s,
			RefreshBeforeUpdate: truthy(f.set["refreshBeforeUpdate"])}, nil
	})
}

func (p *provider) Update(_ context.Context, req *pulumirpc.UpdateRequest) (*pulumirpc.UpdateResponse, error) {
	r := request{method: "Update", urn: req.GetUrn(), id: req.GetId(), preview: req.GetPreview(),
		inputs: fromStruct(req.GetNews()), olds: fromStruct(req.GetOlds()),
		oldIn: fromStruct(req.GetOldInputs()), timeout: req.GetTimeout()}
	r.from = []props{r.inputs}
	if r.preview {
		r.fault = "previewUpdate"
	}
	return serve(p, r, func(f *faults, a *answer) (*pulumirpc.UpdateResponse, error) {
		if err := onlyObject(r.urn); err != nil {
			return nil, err
		}
		generation, _ := num(r.olds["generation"])
		out := outputsFor(r.inputs, generation+1)
		if r.preview {
			hideOutputs(f, out)
		} else {
			old, err := p.cloud.load(r.id)
			if err == nil && old == nil {
				err = fmt.Errorf("faultcloud: there is no object %q", r.id)
			}
			if err == nil {
				err = p.cloud.store(object{ID: r.id, URN: r.urn, Type: objectType, Inputs: r.inputs, Outputs: out})
			}
			if err != nil {
				return nil, status.Error(codes.Unknown, err.Error())
			}
		}
		a.outputs = out
		s, err := out.toStruct()
		if err != nil {
			return nil, err
		}
		if !r.preview && f.fires("partial", "update") {
			return nil, initFailed(r.id, s, "update")
		}
		return &pulumirpc.UpdateResponse{Properties: s,
			RefreshBeforeUpdate: truthy(f.set["refreshBeforeUpdate"])}, nil
	})
}

func (p *provider) Delete(_ context.Context, req *pulumirpc.DeleteRequest) (*emptypb.Empty, error) {
	r := request{method: "Delete", urn: req.GetUrn(), id: req.GetId(),
		olds: fromStruct(req.GetProperties()), oldIn: fromStruct(req.GetOldInputs()), timeout: req.GetTimeout()}
	r.from = []props{r.olds, r.oldIn}
	return serve(p, r, func(f *faults, a *answer) (*emptypb.Empty, error) {
		if err := onlyObject(r.urn); err != nil {
			return nil, err
		}
		found, err := p.cloud.remove(r.id)
		if err != nil {
			return nil, status.Error(codes.Unknown, err.Error())
		}
		if !found {
			a.note = "missing"
		}
		return &emptypb.Empty{}, nil
	})
}

func (p *provider) Read(_ context.Context, req *pulumirpc.ReadRequest) (*pulumirpc.ReadResponse, error) {
	r := request{method: "Read", urn: req.GetUrn(), id: req.GetId(),
		olds: fromStruct(req.GetProperties()), oldIn: fromStruct(req.GetInputs()), timeout: req.GetTimeout()}
	r.from = []props{r.olds, r.oldIn}
	return serve(p, r, func(f *faults, a *answer) (*pulumirpc.ReadResponse, error) {
		if err := onlyObject(r.urn); err != nil {
			return nil, err
		}
		o, err := p.cloud.load(r.id)
		if err != nil {
			return nil, status.Error(codes.Unknown, err.Error())
		}
		if o == nil || truthy(f.set["gone"]) {
			a.note = "gone"
			return &pulumirpc.ReadResponse{}, nil
		}
		in, out := o.Inputs.clone(), o.Outputs.clone()
		if drift, ok := f.set["drift"].(map[string]any); ok {
			for k, v := range drift {
				out[k] = v
				if !slices.Contains(computed, k) {
					in[k] = v
				}
			}
		}
		a.outputs = out
		outs, err := out.toStruct()
		if err != nil {
			return nil, err
		}
		ins, err := in.toStruct()
		if err != nil {
			return nil, err
		}
		if f.fires("partial", "read") {
			st, err := status.New(codes.Unknown, "faultcloud: read found the object not ready").WithDetails(
				&pulumirpc.ErrorResourceInitFailed{Id: o.ID, Properties: outs, Inputs: ins,
					Reasons: []string{"faultcloud: the object is not ready"}})
			if err != nil {
				return nil, err
			}
			return nil, st.Err()
		}
		return &pulumirpc.ReadResponse{Id: o.ID, Properties: outs, Inputs: ins,
			RefreshBeforeUpdate: truthy(f.set["refreshBeforeUpdate"])}, nil
	})
}

func (p *provider) Invoke(_ context.Context, req *pulumirpc.InvokeRequest) (*pulumirpc.InvokeResponse, error) {
	args := fromStruct(req.GetArgs())
	r := request{method: "Invoke", token: req.GetTok(), inputs: args, preview: req.GetPreview()}
	return serve(p, r, func(f *faults, a *answer) (*pulumirpc.InvokeResponse, error) {
		var out props
		switch r.token {
		case echoTok:
			out = props{"value": args["value"]}
		case secretTok:
			out = props{"value": secret(args["value"])}
		case lookupTok:
			name := str(args["name"])
			o, err := p.cloud.findByName(name)
			if err != nil {
				return nil, status.Error(codes.Unknown, err.Error())
			}
			if o == nil {
				return &pulumirpc.InvokeResponse{Failures: []*pulumirpc.CheckFailure{{
					Property: "name", Reason: fmt.Sprintf("there is no object named %q", name)}}}, nil
			}
			out = props{"id": o.ID}
			for _, k := range []string{"name", "value", "tags", "arn", "generation", "size", "secretOutput"} {
				if v, ok := o.Outputs[k]; ok {
					out[k] = v
				}
			}
		default:
			return nil, status.Errorf(codes.InvalidArgument, "faultcloud has no function %q", r.token)
		}
		a.outputs = out
		s, err := out.toStruct()
		if err != nil {
			return nil, err
		}
		return &pulumirpc.InvokeResponse{Return: s}, nil
	})
}
